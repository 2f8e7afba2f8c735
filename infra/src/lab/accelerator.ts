import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { runTool } from './command.js';
import { LabError } from './errors.js';
import { QEMU } from './qemu.js';

/** `kvm` runs machine code on the host's processor, `tcg` translates it in software (10–30 times slower). */
export type Accelerator = 'kvm' | 'tcg';

export interface AcceleratorChoice {
  accelerator: Accelerator;
  reason: string;
}

/** Texts on the serial console during a boot, with the time after the start by which each must have appeared. */
export const MILESTONES: readonly { text: string; limitMs: number }[] = [
  // Real mode and the boot loader: under a second where hardware virtualisation works at all.
  { text: 'peerlab-grub:', limitMs: 5000 },
  // 64-bit mode, interrupts, disk and userland: about 5 s; software emulation needs 15.
  { text: 'login:', limitMs: 20_000 },
];

/** The first milestone whose time is over and that is missing; null when there is none. */
export function missedMilestone(console: string, elapsedMs: number): string | null {
  return MILESTONES.find(({ text, limitMs }) => elapsedMs >= limitMs && !console.includes(text))?.text ?? null;
}

/**
 * Boots the lab's disk image under KVM, without changing it. That /dev/kvm can be opened is not enough: under
 * some hypervisors its guests hang at once.
 * @returns why KVM cannot be used, or null when the machine booted in time
 */
async function tryKvm(image: string): Promise<string | null> {
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return '/dev/kvm cannot be opened';
  }
  const drive = `if=none,id=disk,format=raw,snapshot=on,file=${image.replaceAll(',', ',,')}`;
  const machine = '-nodefaults -no-user-config -display none -machine q35 -accel kvm -cpu EPYC,-svm -m 512M'.split(' ');
  const devices = ['-drive', drive, '-device', 'virtio-blk-pci,drive=disk,bootindex=0', '-serial', 'stdio'];
  const child = spawn(QEMU, [...machine, ...devices, '-no-reboot'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const startedAt = Date.now();
  let console = '';
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const verdict = await new Promise<string | null>((resolve) => {
    const watch = setInterval(() => {
      const missed = missedMilestone(console, Date.now() - startedAt);
      if (missed !== null) resolve(`a trial boot under KVM did not reach "${missed}" in time`);
    }, 100);
    child.stdout.on('data', (data: Buffer) => {
      console += data.toString('latin1');
      if (MILESTONES.every(({ text }) => console.includes(text))) resolve(null);
    });
    child.once('error', (error) => resolve(error.message));
    child.once('exit', () => resolve(`QEMU cannot use KVM: ${stderr.trim().split('\n').at(-1) ?? ''}`));
    child.once('close', () => clearInterval(watch));
  });
  child.kill('SIGKILL');
  return verdict;
}

/**
 * Chooses KVM when a trial boot works. The result is kept in `cacheFile` for this boot of the host and this version
 * of QEMU. PEERLAB_ACCELERATOR overrides it.
 */
export async function chooseAccelerator(
  image: string,
  cacheFile: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<AcceleratorChoice> {
  const forced = env['PEERLAB_ACCELERATOR'];
  if (forced === 'kvm' || forced === 'tcg') return { accelerator: forced, reason: 'set by PEERLAB_ACCELERATOR' };
  if (forced !== undefined && forced !== '')
    throw new LabError(`PEERLAB_ACCELERATOR is "${forced}"`, 'set it to kvm or tcg, or unset it');
  const version = (await runTool(QEMU, ['--version'], { debianPackage: 'qemu-system-x86' })).split('\n')[0] ?? '';
  const host = `${(await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()} ${version}`;
  try {
    const known = JSON.parse(await readFile(cacheFile, 'utf8')) as AcceleratorChoice & { host: string };
    if (known.host === host) return { accelerator: known.accelerator, reason: known.reason };
  } catch {
    // No result for this host yet.
  }
  const obstacle = await tryKvm(image);
  const choice: AcceleratorChoice =
    obstacle === null
      ? { accelerator: 'kvm', reason: 'a trial boot under KVM succeeded' }
      : { accelerator: 'tcg', reason: obstacle };
  await writeFile(cacheFile, `${JSON.stringify({ ...choice, host })}\n`);
  return choice;
}
