import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { BareSite, type Ended } from './bare-site.js';

const SERVER = 's-uefi';
/** A disk image, and four boots of a distribution's own kernel under emulation beside other work. */
const ENROL_MS = 60 * 60_000;

describe('a server, from the config of an agent that has no machine', () => {
  let site: BareSite;
  let enrolled: Ended;

  beforeAll(async () => {
    site = await BareSite.start(SERVER);
    const acting = ['--act', '--confirm', SERVER];
    enrolled = await site.enrol('--bmc', SERVER, '--console', 'sol', '--labels', 'set=server', ...acting);
  }, ENROL_MS);
  afterAll(() => site?.remove());

  it('passes every check, and comes back by itself after a candidate that crashes', () => {
    expect(enrolled.code, enrolled.stdout + enrolled.stderr).toBe(0);
    expect(enrolled.stdout).not.toMatch(/^. (?:fail|warn) /m);
    expect(enrolled.stdout).toMatch(/pass root .* ext4 on \/dev\/mapper\/server-root; initramfs-tools makes/);
    expect(enrolled.stdout).toMatch(/pass console-echo .* was on the console after/);
    expect(enrolled.stdout).toMatch(/pass power-cycle .* after a power cycle, with all its devices/);
    expect(enrolled.stdout).toMatch(/pass fallback .* after a crash the default kernel came back by itself/);
  });

  it('stands in the config with the drivers that it needs', async () => {
    const config = parse(await readFile(site.configFile, 'utf8')) as { machines: unknown };
    expect(config.machines).toMatchObject([
      {
        name: SERVER,
        labels: { set: 'server' },
        power: { driver: 'ipmi', bmc: SERVER },
        console: { driver: 'sol', bmc: SERVER },
        initramfs: { driver: 'initramfs-tools' },
      },
    ]);
  });
});
