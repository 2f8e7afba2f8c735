import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { BareSite, type Ended } from './bare-site.js';

const SERVER = 's-dracut';
/** A disk image, and four boots of a distribution's own kernel under emulation beside other work. */
const ENROL_MS = 60 * 60_000;
/** What a candidate could leave behind: files on the boot partitions, entries, variables of the loader, modules. */
const WHAT_LIES_THERE = `find /boot /efi -type f ! -name random-seed | sort | xargs sha256sum
ls /lib/modules /sys/firmware/efi/efivars
bootctl list --no-pager | grep -v '^ *options:'`;

describe('a server with systemd-boot, dracut and a root on btrfs, from the config of an agent that has no machine', () => {
  let site: BareSite;
  let before: string;
  let enrolled: Ended;

  beforeAll(async () => {
    site = await BareSite.start(SERVER);
    before = await site.shell(WHAT_LIES_THERE);
    const acting = ['--act', '--confirm', SERVER];
    enrolled = await site.enrol('--bmc', SERVER, '--console', 'sol', '--labels', 'set=server-dracut', ...acting);
  }, ENROL_MS);
  afterAll(() => site?.remove());

  it('passes every check, and comes back by itself after a candidate that crashes', () => {
    expect(enrolled.code, enrolled.stdout + enrolled.stderr).toBe(0);
    expect(enrolled.stdout).not.toMatch(/^. (?:fail|warn) /m);
    expect(enrolled.stdout).toMatch(/pass boot-loader .*systemd-boot can boot another kernel once/);
    expect(enrolled.stdout).toMatch(/pass root .* btrfs on \/dev\/nvme0n1p4\[\/root\]; dracut makes/);
    expect(enrolled.stdout).toMatch(/pass console-echo .* was on the console after/);
    expect(enrolled.stdout).toMatch(/pass power-cycle .* after a power cycle, with all its devices/);
    expect(enrolled.stdout).toMatch(/pass fallback .* after a crash the default kernel came back by itself/);
  });

  it('stands in the config with the drivers that it needs', async () => {
    const config = parse(await readFile(site.configFile, 'utf8')) as { machines: unknown };
    expect(config.machines).toMatchObject([
      {
        name: SERVER,
        power: { driver: 'ipmi', bmc: SERVER },
        console: { driver: 'sol', bmc: SERVER },
        boot: { driver: 'systemd-boot' },
        initramfs: { driver: 'dracut' },
      },
    ]);
  });

  it('has nothing of the candidate left on it', async () => {
    expect(await site.shell(WHAT_LIES_THERE)).toBe(before);
  });
});
