import { describe, expect, it } from 'vitest';
import { bareAddressOf, callOf, callText, kernelOffsetOf, reportCallOf } from './calls.js';
import { readCrashes } from './whole-log.js';

describe('an address in a log', () => {
  it('is a name with offset and size, of the kernel or a module, and doubtful ones do not count', () => {
    const call = callOf('[   41.2]  p2pvram_map+0x1c4/0x2e0 [p2pvram]');
    expect(call).toEqual({ name: 'p2pvram_map', offset: 0x1c4, size: 0x2e0, module: 'p2pvram', isInstruction: false });
    expect(call === null ? '' : callText(call)).toBe('p2pvram_map+0x1c4/0x2e0 [p2pvram]');
    expect(callOf(' p2pvram_map+0x1c4/0x2e0 [p2pvram(OE)]')).toMatchObject({ module: 'p2pvram' });
    expect(callOf('[   41.2][  T412] RIP: 0010:kfree+0x8f/0x1a0')).toMatchObject({
      name: 'kfree',
      isInstruction: true,
    });
    expect(callOf('[   41.2]  ? kfree+0x8f/0x1a0')).toBeNull();
    expect(callOf('RAX: 0000000000000000 RBX: ffff888104a2c000')).toBeNull();
  });

  it('is bare where the kernel has no names, and never a register', () => {
    expect(bareAddressOf(' 0xffffffff81234567')).toBe('ffffffff81234567');
    expect(bareAddressOf(' [<ffffffff81234567>]')).toBe('ffffffff81234567');
    expect(bareAddressOf('RIP: 0010:0xffffffff81234567')).toBe('ffffffff81234567');
    expect(bareAddressOf(' ? 0xffffffff81234567')).toBeNull();
    expect(bareAddressOf('RAX: ffffffff81234567 RBX: 0000000000000000')).toBeNull();
    expect(reportCallOf(' [<ffffffff81234567>] foo+0x1/0x2')).toEqual({ call: 'foo+0x1/0x2', isInstruction: false });
    expect(kernelOffsetOf('Kernel Offset: 0x1c000000 from 0xffffffff81000000 (relocation range: …)')).toBe(0x1c000000n);
    expect(kernelOffsetOf('Kernel Offset: disabled')).toBeNull();
  });
});

it('a report has the addresses that it names, each once and in its order', () => {
  const [report] = readCrashes([
    '[   41.1] BUG: kernel NULL pointer dereference, address: 0000000000000008',
    '[   41.2] RIP: 0010:p2pvram_map+0x8/0x90 [p2pvram]',
    '[   41.3] Call Trace:',
    '[   41.4]  <TASK>',
    '[   41.5]  hmm_range_fault+0x1c/0x400',
    '[   41.6]  ? kfree+0x8f/0x1a0',
    '[   41.7]  hmm_range_fault+0x1c/0x400',
    '[   41.8]  </TASK>',
    '[   41.9] ---[ end trace 0000000000000000 ]---',
  ]);
  expect(report?.calls).toEqual([
    { call: 'p2pvram_map+0x8/0x90 [p2pvram]', isInstruction: true },
    { call: 'hmm_range_fault+0x1c/0x400', isInstruction: false },
  ]);
});
