import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BareSite, type Ended } from './bare-site.js';

/** A disk image, and a boot of a distribution's own kernel under emulation beside other work. */
const START_MS = 60 * 60_000;

describe('a virtual server with two sockets', () => {
  let site: BareSite;
  let enrolled: Ended;

  beforeAll(async () => {
    site = await BareSite.start('s-two-sockets');
    enrolled = await site.enrol('--bmc', 's-two-sockets', '--console', 'sol');
  }, START_MS);
  afterAll(() => site?.remove());

  it('has a path within each socket and none between them', () => {
    expect(enrolled.code, enrolled.stderr).toBe(0);
    expect(enrolled.stdout).toMatch(
      /pass devices .*providers: (?:[^;]+ at 0000:4\d:[^;]+), (?:[^;]+ at 0000:8\d:[^;]+);/,
    );
    expect(enrolled.stdout).toMatch(/pass paths .*predicted: 2 BUS_ADDR, 2 NOT_SUPPORTED/);
  });
});
