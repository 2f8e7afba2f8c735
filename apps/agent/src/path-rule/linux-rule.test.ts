import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LINUX_PATH_RULE } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { readPathRule } from './read-path-rule.js';

/** The kernel's own text. */
const excerpt = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../../kernel/excerpts/${name}`, import.meta.url)), 'utf8');
const [source, ids] = [excerpt('p2pdma.c'), excerpt('pci_ids.h')];

it('of Linux 7.3.4 is the rule that the farm has for kernels whose source it does not know', () => {
  expect(readPathRule(source, ids)).toEqual(LINUX_PATH_RULE);
});

it('without the entries that 7.3 added it is that of 7.2, with nothing that is not known', () => {
  const before = source
    .split('\n')
    .filter((line) => !line.includes('PCI_VENDOR_ID_NVIDIA'))
    .join('\n');
  expect(readPathRule(before, ids)).toEqual({
    hostBridges: LINUX_PATH_RULE.hostBridges.filter(({ vendor }) => vendor !== '10de'),
    changed: [],
  });
});

it.each([
  ['X86_VENDOR_AMD &&', 'X86_VENDOR_HYGON &&', 'cpu', 'cpu_supports_p2pdma()'],
  ['root->devfn == PCI_DEVFN(0, 0)', 'true', 'host-bridges', 'pci_host_bridge_dev()'],
  ['vendor != entry->vendor', 'vendor == entry->vendor', 'host-bridges', '__host_bridge_whitelist()'],
  ['host_a == host_b', 'host_a != host_b', 'host-bridges', 'host_bridge_whitelist()'],
  ['PCI_ACS_RR | PCI_ACS_CR', 'PCI_ACS_RR', 'path', 'pci_bridge_has_acs_redir()'],
  ['if (!acs_cnt)', 'if (acs_cnt < 2)', 'path', 'calc_map_type_and_dist()'],
  [
    'REQ_SAME_HOST_BRIDGE	= 1 << 0,',
    'REQ_SAME_HOST_BRIDGE	= 1 << 0, REQ_NEW = 1 << 1,',
    'host-bridges',
    'pci_p2pdma_whitelist',
  ],
])('a series that makes %s into %s changes it', (from, to, what, name) => {
  expect(source).toContain(from);
  const { changed } = readPathRule(source.replace(from, to), ids);
  expect(changed).toMatchObject([{ what }]);
  expect(changed[0]?.why.startsWith(`${name} `)).toBe(true);
});
