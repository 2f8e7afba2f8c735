import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BareSite, type Ended } from './bare-site.js';
import { ENROL_MS, type Expected, enrolOn, expectEnrolled } from './enrolled-server.js';

const DRACUT: Expected = {
  name: 's-dracut',
  set: 'server-dracut',
  root: /pass root .* btrfs on \/dev\/nvme0n1p4\[\/root\]; dracut makes/,
  drivers: { boot: { driver: 'systemd-boot' }, initramfs: { driver: 'dracut' } },
};
/** What a candidate could leave behind: files on the boot partitions, modules, variables; the records of its crash (pstore) stay. */
const WHAT_LIES_THERE = `find /boot /efi -type f ! -name random-seed | sort | xargs sha256sum
ls /lib/modules; ls /sys/firmware/efi/efivars | grep -v ^dump-type0`;

describe('a server with systemd-boot, dracut and a root on btrfs, from the config of an agent that has no machine', () => {
  let site: BareSite;
  let before: string;
  let enrolled: Ended;

  beforeAll(async () => {
    site = await BareSite.start(DRACUT.name);
    before = await site.shell(WHAT_LIES_THERE);
    enrolled = await enrolOn(site, DRACUT);
  }, ENROL_MS);
  afterAll(() => site?.remove());

  it('passes every check, comes back by itself after a candidate that crashes, and stands in the config', async () => {
    await expectEnrolled(site, enrolled, DRACUT);
    expect(enrolled.stdout).toMatch(/pass boot-loader .*systemd-boot can boot another kernel once/);
  });

  it('has nothing of the candidate left on it', async () => {
    expect(await site.shell(WHAT_LIES_THERE)).toBe(before);
  });
});
