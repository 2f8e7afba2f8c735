import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder, QmpConnection } from '@peerlab/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rememberedProcess } from '../start/process-file.js';
import { runStep } from '../start/step.js';
import { MACHINES } from './machines.js';
import { readImage } from './disk.js';
import { Lab, type LabEvent } from './lab.js';
import { machinePaths } from './paths.js';

const run = promisify(execFile);
const PORT = 22_971;
/** Software emulation on two cores beside other work. */
const BOOT_MS = 300_000;

/** A real machine from a real image, below a state folder of its own. */
describe.skipIf(process.env['PEERLAB_SLOW'] !== '1')('v-switch in QEMU', () => {
  let stateDir = '';
  let lab: Lab;
  const events: LabEvent[] = [];

  const paths = () => machinePaths(stateDir, 'v-switch');
  const states = (): string[] => events.flatMap((event) => (event.event === 'machine-state' ? [event.state] : []));

  /** Waits until the lab has reported `ssh` for the n-th time. */
  async function reached(count: number): Promise<void> {
    const deadline = Date.now() + BOOT_MS;
    while (states().filter((state) => state === 'ssh').length < count) {
      if (Date.now() > deadline) throw new Error(`no SSH: ${await readFile(paths().consoleLog, 'utf8')}`);
      await delay(200);
    }
  }

  async function ssh(command: string): Promise<string> {
    const { machines } = JSON.parse(await readFile(join(stateDir, 'lab/agent-machines.json'), 'utf8')) as {
      machines: { shell: { privateKeyFile: string; hostKey: string } }[];
    };
    const shell = machines[0]?.shell;
    const known = join(stateDir, 'known_hosts');
    await run('sh', ['-c', `echo '[127.0.0.1]:${PORT} ${shell?.hostKey}' > ${known}`]);
    const options = ['-i', shell?.privateKeyFile ?? '', '-p', String(PORT), '-o', `UserKnownHostsFile=${known}`];
    const strict = ['-o', 'StrictHostKeyChecking=yes', '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes'];
    return (await run('ssh', [...options, ...strict, 'root@127.0.0.1', command])).stdout.trim();
  }

  beforeAll(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'peerlab-lab-'));
    const cacheDir = cacheFolder();
    const script = fileURLToPath(new URL('../../rootfs/build.sh', import.meta.url));
    const folder = await runStep(['sh', script, '--cache', cacheDir], {
      cwd: stateDir,
      logFile: join(stateDir, 'image.log'),
      result: 'image',
      onProgress: () => undefined,
    });
    lab = new Lab({
      stateDir,
      images: new Map([['', await readImage(folder)]]),
      serverPortsOf: () => null,
      machines: MACHINES.filter(({ name }) => name === 'v-switch'),
      bootSlots: 1,
      portOf: () => PORT,
      report: (event) => events.push(event),
    });
    await lab.up();
  });

  afterAll(async () => {
    await lab.stop();
    await rm(stateDir, { recursive: true, force: true });
  });

  test('answers over SSH with the pinned host key, on its default kernel', async () => {
    await reached(1);
    expect(await ssh('hostname; uname -r')).toMatch(/^v-switch\n6\.1\.0-\d+-cloud-amd64$/);
    expect(await ssh('systemctl --failed --no-legend | wc -l')).toBe('0');
  });

  test('has provider and client below one switch', async () => {
    expect(await ssh('lspci -n | grep -c -e 1af4:1110 -e 1234:11e8 -e 104c:8233')).toBe('4');
    const upstream =
      "for id in 1af4:1110 1234:11e8; do readlink -f /sys/bus/pci/devices/$(lspci -D -d $id | cut -d' ' -f1)/../..; done";
    const [provider, client] = (await ssh(upstream)).split('\n');
    expect(provider).toBe(client);
  });

  test('boots a chosen entry once, then the default again, and logs every byte of it', async () => {
    const entry = "menuentry once --id once { echo 'this entry ran'; reboot; }";
    await ssh(`echo "${entry}" > /boot/grub/custom.cfg; grub-reboot once; sync`);
    const before = await ssh('cat /proc/sys/kernel/random/boot_id');
    await ssh('nohup sh -c "sleep 0.1; systemctl reboot -f" >/dev/null 2>&1 &');
    await reached(2);
    expect(await ssh('cat /proc/sys/kernel/random/boot_id')).not.toBe(before);
    expect(await ssh('grub-editenv list')).toBe('next_entry=');
    const console = await readFile(paths().consoleLog, 'utf8');
    expect(console.match(/peerlab-grub: booting (\S+)/g)).toEqual([
      'peerlab-grub: booting peerlab-default',
      'peerlab-grub: booting once',
      'peerlab-grub: booting peerlab-default',
    ]);
    expect(console).toContain('this entry ran');
  });

  test("comes back after a reset through the agent's monitor and after its QEMU was killed", async () => {
    const power = await QmpConnection.open(paths().powerSocket, () => undefined);
    await power.command('system_reset');
    power.close();
    await reached(3);
    const pid = await rememberedProcess(paths().processFile);
    process.kill(pid ?? 0, 'SIGKILL');
    await reached(4);
    expect(await rememberedProcess(paths().processFile)).not.toBe(pid);
    expect(states()).toContain('down');
  });

  /** What a candidate does that wants to stay: a second sshd, a second key, another boot menu, a unit. */
  const STAY = `set -e
cp /usr/sbin/sshd /usr/sbin/sshd.new; echo extra >>/usr/sbin/sshd.new; mv /usr/sbin/sshd.new /usr/sbin/sshd
echo 'ssh-ed25519 AAAA somebody' >>/root/.ssh/authorized_keys
sed -i 's/known good/mine/' /boot/grub/grub.cfg
printf '[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/stay.service
systemctl enable stay.service
echo 'set hidden=1' >/boot/grub/custom.cfg; grub-reboot once; sync`;
  const SYSTEM =
    'sha256sum /usr/sbin/sshd /root/.ssh/authorized_keys /boot/grub/grub.cfg; ' +
    'ls /etc/systemd/system/multi-user.target.wants /boot/grub; grub-editenv list';

  test('keeps its disk when QEMU is killed in an attempt, and starts clean when the agent discards it', async () => {
    // What the tests before left.
    await ssh('rm -f /boot/grub/custom.cfg; grub-editenv /boot/grub/grubenv unset next_entry; sync');
    const before = await ssh(SYSTEM);
    const { mtimeMs } = await stat(paths().disk);
    await writeFile(paths().diskState, 'used\n');
    await ssh(STAY);
    await ssh('grub-editenv - unset next_entry 2>/dev/null; grub-editenv /boot/grub/grubenv unset next_entry; sync');
    const changed = await ssh(SYSTEM);
    expect(changed).not.toBe(before);
    process.kill((await rememberedProcess(paths().processFile)) ?? 0, 'SIGKILL');
    await reached(5);
    expect(await ssh('tail -c 6 /usr/sbin/sshd; ls /etc/systemd/system/multi-user.target.wants')).toMatch(
      /extra\n[^]*stay\.service/,
    );
    // As the agent's driver does it: the order first, then the end of QEMU.
    await writeFile(paths().diskState, 'discard\n');
    const power = await QmpConnection.open(paths().powerSocket, () => undefined);
    await power.command('quit').catch(() => undefined);
    await reached(6);
    expect(await ssh(SYSTEM)).toBe(before);
    expect(events.at(-2)).toMatchObject({ state: 'starting', reason: 'power on with a fresh disk' });
    await expect(stat(paths().diskState)).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await stat(paths().disk)).mtimeMs).toBe(mtimeMs);
  });
});
