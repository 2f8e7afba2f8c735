import { pciNameText, type Inventory } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { bytesText } from '../ui/numbers.js';
import { pcieTree, type PcieNode } from './pcie-tree.js';

/** The machine's PCIe hierarchy with providers and clients marked, and one peer path highlighted. */
export function PcieTree({ inventory, lit }: { inventory: Inventory; lit: ReadonlySet<string> }): ReactNode {
  const isAcrossRoot = lit.size > 0 && pcieTree(inventory).filter((node) => holdsLit(node, lit)).length > 1;
  return (
    <div className="pcie" tabIndex={0} role="region" aria-label="PCIe functions">
      <p className={isAcrossRoot ? 'pcie-node pcie-lit' : 'pcie-node'}>
        <strong>root complex</strong>{' '}
        <span className="muted">
          {inventory.cpu.name} · IOMMU {inventory.iommu}
        </span>
      </p>
      <Branch nodes={pcieTree(inventory)} lit={lit} />
    </div>
  );
}

function holdsLit(node: PcieNode, lit: ReadonlySet<string>): boolean {
  return lit.has(node.fn.address) || node.children.some((child) => holdsLit(child, lit));
}

function Branch({ nodes, lit }: { nodes: readonly PcieNode[]; lit: ReadonlySet<string> }): ReactNode {
  return (
    <ul className="pcie-branch">
      {nodes.map((node) => (
        <li key={node.fn.address} className={holdsLit(node, lit) ? 'on-path' : undefined}>
          <Node node={node} isLit={lit.has(node.fn.address)} />
          {node.children.length > 0 && <Branch nodes={node.children} lit={lit} />}
        </li>
      ))}
    </ul>
  );
}

function Node({ node: { fn, what, role }, isLit }: { node: PcieNode; isLit: boolean }): ReactNode {
  const sizes = fn.barSizesBytes.filter((size) => size > 0);
  const title = [
    `class ${fn.class}, revision ${fn.revision}`,
    ...(fn.subsystem === null ? [] : [`subsystem ${fn.subsystem}`]),
    ...(fn.iommuGroup === null ? [] : [`IOMMU group ${fn.iommuGroup}`]),
    ...(fn.acsControl === null ? [] : [`ACS control 0x${fn.acsControl.toString(16)}`]),
    ...(fn.numaNode === null ? [] : [`NUMA node ${fn.numaNode}`]),
    ...(fn.firmware ?? []).map(({ part, version }) => `firmware (${part}) ${version}`),
    ...(fn.ports ?? []).map(
      ({ device, port, state, physicalState, rate, linkLayer }) =>
        `port ${port} of ${device}: ${[state, physicalState, rate, linkLayer].filter((word) => word !== '').join(', ')}`,
    ),
    ...(fn.driverVersion === undefined ? [] : [`driver ${fn.driverVersion}`]),
    ...(fn.ownMemoryBytes === undefined ? [] : [`own memory ${bytesText(fn.ownMemoryBytes)}`]),
    ...fn.barSizesBytes.flatMap((size, bar) => (size > 0 ? [`BAR${bar} ${bytesText(size)}`] : [])),
  ].join('\n');
  return (
    <p className={`pcie-node${isLit ? ' pcie-lit' : ''}`} title={title}>
      <code>{fn.address}</code>
      <span>{what}</span>
      {role !== null && <span className={`chip role-${role}`}>{role}</span>}
      <span className="muted">
        {[pciNameText(fn), `${fn.vendor}:${fn.device}`].filter((text) => text !== '').join(' ')}
        {fn.driver !== null && ` · ${fn.driver}`}
        {fn.link !== null && fn.link.width > 0 && ` · ${fn.link.maxSpeed ?? fn.link.speed} ×${fn.link.width}`}
        {role === 'provider' && sizes.length > 0 && ` · BAR ${bytesText(Math.max(...sizes))}`}
      </span>
    </p>
  );
}
