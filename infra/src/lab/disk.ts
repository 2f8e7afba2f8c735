import { createHash } from 'node:crypto';
import { chmod, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { runTool } from './command.js';
import { LabError } from './errors.js';
import type { KeyPair } from './keys.js';

/** What rootfs/build.sh says about the image it made. */
export const ImageManifest = z.object({
  schema: z.literal(1),
  key: z.string().regex(/^[0-9a-f]{64}$/),
  suite: z.string(),
  /** Release of the known-good kernel. */
  release: z.string(),
  partitionOffsetBytes: z.number().int().positive(),
  sizeBytes: z.number().int().positive(),
  usedBytes: z.number().int().nonnegative(),
  buildSeconds: z.number().nonnegative(),
});
export type ImageManifest = z.infer<typeof ImageManifest>;

export interface DiskImage {
  manifest: ImageManifest;
  file: string;
}

/** Reads the image folder that build.sh named. */
export async function readImage(folder: string): Promise<DiskImage> {
  const file = join(folder, 'manifest.json');
  try {
    return { manifest: ImageManifest.parse(JSON.parse(await readFile(file, 'utf8'))), file: join(folder, 'disk.raw') };
  } catch (error) {
    throw new LabError(
      `${file} is not an image manifest: ${(error as Error).message}`,
      `remove ${folder}, start again`,
    );
  }
}

/** The persistent identity of a machine, put onto its disk before its first boot. */
export interface Identity {
  name: string;
  hostKey: KeyPair;
  clientPublicKey: string;
  /** For every kernel of the machine; the image's grub.cfg adds them to the default one. null = the image has its own. */
  kernelArguments: readonly string[] | null;
}

/** debugfs commands that write text files into the image's file system, owned by root. */
export function injectionCommands(files: readonly { from: string; to: string; mode: string }[]): string {
  return files
    .flatMap(({ from, to, mode }) => [
      `rm ${to}`,
      `write "${from}" ${to}`,
      `set_inode_field ${to} mode 0100${mode}`,
      `set_inode_field ${to} uid 0`,
      `set_inode_field ${to} gid 0`,
    ])
    .concat('')
    .join('\n');
}

/** Text of machine.cfg, which the image's grub.cfg reads. @throws LabError for an argument with a single quote, which GRUB cannot escape */
export function grubMachineConfig(kernelArguments: readonly string[]): string {
  const text = kernelArguments.join(' ');
  if (/['\n]/.test(text))
    throw new LabError(`kernel arguments ${text}: GRUB cannot quote a single quote or a line break`, 'remove it');
  return `set machine_arguments='${text}'\n`;
}

/** The machine-id of a machine of that name in that lab. */
export function machineId(name: string, hostKey: string): string {
  return createHash('sha256').update(`${name}\n${hostKey}`).digest('hex').slice(0, 32);
}

/**
 * Makes a machine's disk from the image: a sparse copy with the machine's own name, machine-id and keys
 * in it. Needs neither root nor a loop device. The copy appears under `disk` only when it is complete.
 */
export async function makeDisk(image: DiskImage, disk: string, identity: Identity): Promise<void> {
  const fresh = `${disk}.new`;
  await rm(fresh, { force: true });
  await runTool('cp', ['--sparse=always', '--reflink=auto', image.file, fresh], { debianPackage: 'coreutils' });
  const id = machineId(identity.name, identity.hostKey.publicKey);
  const texts: Record<string, { text: string; to: string; mode: string }> = {
    authorized: { text: `${identity.clientPublicKey}\n`, to: '/root/.ssh/authorized_keys', mode: '600' },
    hostname: { text: `${identity.name}\n`, to: '/etc/hostname', mode: '644' },
    hosts: { text: `127.0.0.1 localhost ${identity.name}\n`, to: '/etc/hosts', mode: '644' },
    'machine-id': { text: `${id}\n`, to: '/etc/machine-id', mode: '444' },
  };
  if (identity.kernelArguments !== null)
    texts['grub'] = { text: grubMachineConfig(identity.kernelArguments), to: '/boot/grub/machine.cfg', mode: '644' };
  const files = [
    { from: identity.hostKey.file, to: '/etc/ssh/ssh_host_ed25519_key', mode: '600' },
    { from: `${identity.hostKey.file}.pub`, to: '/etc/ssh/ssh_host_ed25519_key.pub', mode: '644' },
  ];
  for (const [name, { text, to, mode }] of Object.entries(texts)) {
    const from = `${disk}.${name}`;
    await writeFile(from, text);
    files.push({ from, to, mode });
  }
  const script = `${disk}.debugfs`;
  await writeFile(script, injectionCommands(files));
  const place = `${fresh}?offset=${image.manifest.partitionOffsetBytes}`;
  await runTool('debugfs', ['-w', '-f', script, place], { debianPackage: 'e2fsprogs' });
  await verifyInjection(place, id);
  for (const name of Object.keys(texts)) await rm(`${disk}.${name}`, { force: true });
  await rm(script, { force: true });
  // An overlay is valid only for an unchanged disk below it.
  await chmod(fresh, 0o444);
  await rename(fresh, disk);
}

/** debugfs exits with 0 even when a command failed, so the result is read back. */
async function verifyInjection(place: string, id: string): Promise<void> {
  const found = await runTool('debugfs', ['-R', 'cat /etc/machine-id', place], { debianPackage: 'e2fsprogs' });
  const key = await runTool('debugfs', ['-R', 'stat /etc/ssh/ssh_host_ed25519_key', place], {
    debianPackage: 'e2fsprogs',
  });
  if (found.trim() !== id || !/Mode:\s+0600/.test(key)) {
    throw new LabError(`could not write the identity of the machine to ${place}`, 'check for a full disk with df');
  }
}

/** Makes `file` a sparse file of this size and keeps what is in it. It is the host's view of device memory. */
export async function ensureDeviceMemory(file: string, sizeBytes: number): Promise<void> {
  const handle = await open(file, 'a+', 0o600);
  try {
    if ((await handle.stat()).size !== sizeBytes) await handle.truncate(sizeBytes);
  } finally {
    await handle.close();
  }
}
