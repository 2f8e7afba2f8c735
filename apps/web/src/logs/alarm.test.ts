import { describe, expect, it } from 'vitest';
import { toneOf } from './alarm.js';

describe('toneOf', () => {
  it.each([
    ['serial', '[ 1.0] BUG: kernel NULL pointer dereference, address: 0', 'error'],
    ['kernel', '[ 1.0] WARNING: CPU: 1 PID: 4 at mm/memremap.c:412 memremap_pages+0x1b2/0x5f0', 'warning'],
    ['test', 'not ok 3 thp_alias', 'error'],
    ['test', 'not ok 3 thp_alias # SKIP no device', null],
    ['test', 'ok 3 thp_alias', null],
    ['build', 'mm/hmm.c:12:3: \u001b[1;31merror:\u001b[0m no member', 'error'],
    ['build', 'make[2]: *** [scripts/Makefile.build:229: mm/hmm.o] Error 1', 'error'],
    ['build', '  CC      drivers/error.o', null],
    ['serial', 'systemd[1]: Reached target basic.target', null],
  ] as const)('%s: %s', (stream, text, tone) => {
    expect(toneOf(stream, text)).toBe(tone);
  });
});
