import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inventoryDrift } from '@peerlab/contracts';
import { growthOf } from '@peerlab/contracts/testing';
import { sampleInventory } from '@peerlab/controller/testing';
import { expect, it } from 'vitest';
import { namedByThisMachine, parsePciIds } from './pci-ids.js';

/** As in the package, with subsystems, comments and the list of classes. */
const PCI_IDS = `# a comment
104c  Texas Instruments
\t8231  XIO2000(A)/XIO2200A PCI Express-to-PCI Bridge
\t8232  XIO3130 PCI Express Switch (Upstream)
\t\t1af4 1110  a subsystem
1af4  Red Hat, Inc.
\t1110  Inter-VM shared memory
C 00  Unclassified device
\t1110  not a device
`;

const nameOf = (inventory: ReturnType<typeof sampleInventory>, device: string) =>
  inventory.functions.find((fn) => fn.device === device)?.names;

it('names functions by the first list that there is, and nothing without one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pci-ids-'));
  const file = join(folder, 'pci.ids');
  await writeFile(file, PCI_IDS);
  const inventory = sampleInventory('BUS_ADDR');
  const named = await namedByThisMachine(inventory, [join(folder, 'absent'), file]);
  expect(nameOf(named, '8232')).toEqual({
    vendor: 'Texas Instruments',
    device: 'XIO3130 PCI Express Switch (Upstream)',
  });
  expect(nameOf(named, '1110')).toEqual({ vendor: 'Red Hat, Inc.', device: 'Inter-VM shared memory' });
  expect(nameOf(named, '11e8')).toBeUndefined();
  expect(await namedByThisMachine(inventory, [join(folder, 'absent')])).toEqual(inventory);
  // Names are for people: a machine did not change because its agent got a list.
  expect(inventoryDrift(inventory, named)).toEqual([]);
  await rm(folder, { recursive: true });
});

it('takes time in proportion to the list', async () => {
  const functions = sampleInventory('BUS_ADDR').functions;
  const growth = await growthOf(
    (size) => '\t'.repeat(size),
    (text) => parsePciIds(text, functions),
  );
  expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
});
