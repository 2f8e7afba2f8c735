import { expect, it } from 'vitest';
import { printed, stack, trap } from '../../testing/kernel-reports.js';
import { CrashReader } from './reader.js';
import { readCrashes } from './whole-log.js';

const inlined = (header: string, ...functions: string[]): string[] =>
  functions.map((name) => `${header} ${name} include/p2p/window.h:33 [inline]`);

const WARNED = 'WARNING: CPU: 1 PID: 412 at include/p2p/window.h:33';
const WARNED_NOW = 'WARNING: include/p2p/window.h:33 at';
const BEHIND = ', CPU#1: p2p-test/412';

const CASES: [title: string, lines: string[]][] = [
  [
    'WARNING in p2pvram_map',
    [
      ...inlined(WARNED, 'window_check', 'window_get'),
      `${WARNED} p2pvram_map+0x1c/0x40 drivers/p2p/p2pvram.c:90`,
      ...trap('p2pvram_map'),
      ...stack('p2pvram_ioctl'),
    ],
  ],
  [
    'WARNING in p2pvram_map',
    [
      ...inlined(WARNED_NOW, 'window_check', 'window_get').map((line) => line + BEHIND),
      `${WARNED_NOW} p2pvram_map+0x1c/0x40 drivers/p2p/p2pvram.c:90${BEHIND}`,
      ...trap('p2pvram_map'),
      ...stack('p2pvram_ioctl'),
    ],
  ],
  [
    'WARNING: ODEBUG bug in p2pvram_drop',
    [
      ...inlined('WARNING: CPU: 1 PID: 412 at lib/debugobjects.c:514', 'debug_print_object'),
      'WARNING: CPU: 1 PID: 412 at lib/debugobjects.c:514 debug_object_activate+0x1c/0x40 lib/debugobjects.c:733',
      ...trap('debug_object_activate'),
      ...stack('kvfree_call_rcu', 'p2pvram_drop'),
    ],
  ],
  [
    'KASAN: slab-use-after-free Read in p2pvram_peek',
    [
      ...inlined('BUG: KASAN: slab-use-after-free in', 'instrument_atomic_read', 'atomic_read'),
      'BUG: KASAN: slab-use-after-free in p2pvram_peek+0x8b/0x1a0 drivers/p2p/p2pvram.c:90',
      'Read of size 4 at addr ffff888104a2c000 by task p2p-test/412',
      ...stack('dump_stack_lvl', 'kasan_report', 'p2pvram_peek', 'p2pvram_ioctl'),
    ],
  ],
  [
    'BUG: using smp_processor_id() in preemptible code in p2pvram_poll',
    [
      'BUG: using smp_processor_id() in preemptible [00000000] code: p2p-test/412',
      'caller is window_check include/p2p/window.h:33 [inline]',
      'caller is p2pvram_poll+0x1c/0x40 drivers/p2p/p2pvram.c:90',
      ...stack('check_preemption_disabled', 'p2pvram_poll'),
    ],
  ],
];

it.each(CASES)('one report, its header once for each inlined function: %s', (title, lines) => {
  for (const log of [lines, printed(null, lines), printed('T412', lines), printed('C1', lines)]) {
    expect(readCrashes(log)).toMatchObject([{ title, corrupted: false, startLine: 1 }]);
  }
});

it('only the first of the headers begins a report', () => {
  const reader = new CrashReader(() => undefined);
  const lines = CASES[0]?.[1] ?? [];
  expect(lines.slice(0, 4).map((line) => reader.push(line)?.begins)).toEqual([true, false, false, undefined]);
});

it('another warning behind one that was inlined is another report', () => {
  const lines = [
    ...inlined(WARNED, 'window_check'),
    'WARNING: CPU: 1 PID: 412 at drivers/p2p/other.c:7 p2pvram_put+0x1c/0x40 drivers/p2p/other.c:7',
    ...trap('p2pvram_put'),
    ...stack('p2pvram_ioctl'),
  ];
  expect(readCrashes(printed('T412', lines)).map(({ title }) => title)).toContain('WARNING in p2pvram_put');
  expect(readCrashes(lines)).toHaveLength(2);
});
