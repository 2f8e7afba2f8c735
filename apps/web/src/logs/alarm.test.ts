import { describe, expect, it } from 'vitest';
import { ktapClass, toneOf } from './alarm.js';

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

describe('ktapClass', () => {
  it.each([
    ['ok 3 thp_alias', 'ktap-ok'],
    ['    ok 1 nested', 'ktap-ok'],
    ['not ok 3 thp_alias', 'ktap-not-ok'],
    ['Bail out! no device', 'ktap-not-ok'],
    ['ok 3 thp_alias # SKIP no device', 'ktap-excused'],
    ['not ok 3 thp_alias # TODO', 'ktap-excused'],
    ['not ok 3 thp_alias # XFAIL: known', 'ktap-excused'],
    ['ok 3 thp_alias # TIMEOUT', 'ktap-not-ok'],
    ['not ok 3 thp_alias # SKIPPED', 'ktap-excused'],
    ['not ok 3 says # SKIPPER', 'ktap-not-ok'],
    ['[    1.234567] not ok 3 thp_alias', 'ktap-not-ok'],
    ['# test: thp_alias', 'ktap-case'],
    ['# proof: {}', 'ktap-note'],
    ['KTAP version 1', 'ktap-note'],
    ['1..40', 'ktap-note'],
    ['ok', ''],
    ['okay 3', ''],
  ])('%s: %s', (line, name) => {
    expect(ktapClass(line)).toBe(name);
  });
});
