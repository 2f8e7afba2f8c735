import { expect, it } from 'vitest';
import { cpuFamilyName } from './cpu-family.js';
import { pciNameText } from './pci-names.js';

it.each([
  ['AuthenticAMD', 0x17, 'AMD Zen 1/2'],
  ['AuthenticAMD', 0x1b, 'AMD family 0x1b'],
  ['GenuineIntel', 6, 'Intel family 6'],
  ['CentaurHauls', 7, 'CentaurHauls family 7'],
])('%s family %i is %s', (vendor, family, name) => {
  expect(cpuFamilyName(vendor, family)).toBe(name);
});

it('a function has the name that its agent read, else that of the table, else none', () => {
  const fn = { vendor: '104c', device: '8232' };
  expect(pciNameText(fn)).toBe('Texas Instruments XIO3130 PCI Express Switch (Upstream)');
  expect(pciNameText({ ...fn, names: { vendor: 'TI', device: 'a switch' } })).toBe('TI a switch');
  expect(pciNameText({ vendor: '8086', device: 'ffff' })).toBe('Intel Corporation');
  expect(pciNameText({ vendor: 'ffff', device: 'ffff' })).toBe('');
});
