import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureDeviceMemory, grubMachineConfig, injectionCommands, machineId, makeDisk, readImage } from './disk.js';
import { LabError } from './errors.js';
import { ensureKeyPair } from './keys.js';

const OFFSET = 1 << 20;
const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerlab-disk-'));
});
afterEach(async () => rm(folder, { recursive: true }));

/** A small image of the same make: an ext4 file system behind an offset, with the folders we write to. */
async function makeImage(): Promise<string> {
  const image = join(folder, 'image');
  execFileSync('mkdir', [
    '-p',
    ...['root/.ssh', 'etc/ssh', 'boot/grub'].map((name) => `${folder}/root/${name}`),
    image,
  ]);
  await writeFile(`${folder}/root/etc/machine-id`, 'old\n');
  await writeFile(join(image, 'disk.raw'), '');
  await truncate(join(image, 'disk.raw'), 9 << 20);
  const options = [
    '-q',
    '-t',
    'ext4',
    '-d',
    `${folder}/root`,
    '-E',
    `offset=${OFFSET}`,
    '-F',
    join(image, 'disk.raw'),
    '8192k',
  ];
  execFileSync('mke2fs', options, { env });
  const manifest = {
    schema: 1,
    key: 'a'.repeat(64),
    suite: 'bookworm',
    release: '6.1',
    partitionOffsetBytes: OFFSET,
    sizeBytes: 9 << 20,
    usedBytes: 0,
    buildSeconds: 1,
  };
  await writeFile(join(image, 'manifest.json'), JSON.stringify(manifest));
  return image;
}

function onDisk(disk: string, request: string): string {
  return execFileSync('debugfs', ['-R', request, `${disk}?offset=${OFFSET}`], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  }).toString();
}

describe('makeDisk', () => {
  test('gives the copy its own identity and leaves the image alone', async () => {
    const image = await readImage(await makeImage());
    const hostKey = await ensureKeyPair(join(folder, 'host_key'), 'v-test');
    const disk = join(folder, 'disk.raw');
    const kernelArguments = ['iommu=pt', 'memmap=512M$0x40000000'];
    await makeDisk(image, disk, { name: 'v-test', hostKey, clientPublicKey: 'ssh-ed25519 CLIENT', kernelArguments });
    expect(onDisk(disk, 'cat /etc/hostname')).toBe('v-test\n');
    expect(onDisk(disk, 'cat /root/.ssh/authorized_keys')).toBe('ssh-ed25519 CLIENT\n');
    expect(onDisk(disk, 'cat /etc/machine-id')).toBe(`${machineId('v-test', hostKey.publicKey)}\n`);
    expect(onDisk(disk, 'cat /etc/ssh/ssh_host_ed25519_key')).toBe(await readFile(hostKey.file, 'utf8'));
    expect(onDisk(disk, 'cat /boot/grub/machine.cfg')).toBe(
      "set machine_arguments='iommu=pt memmap=512M$0x40000000'\n",
    );
    expect(onDisk(disk, 'stat /etc/ssh/ssh_host_ed25519_key')).toMatch(/Mode: {2}0600[\s\S]*User: +0 /);
    expect(onDisk(image.file, 'cat /etc/machine-id')).toBe('old\n');
  });

  test('reports a disk that cannot be written instead of leaving a half-made one', async () => {
    const image = await readImage(await makeImage());
    await writeFile(image.file, 'no file system here');
    const hostKey = await ensureKeyPair(join(folder, 'host_key'), 'v-test');
    const disk = join(folder, 'disk.raw');
    const identity = { name: 'v', hostKey, clientPublicKey: 'k', kernelArguments: [] };
    await expect(makeDisk(image, disk, identity)).rejects.toBeInstanceOf(LabError);
    await expect(stat(disk)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('kernel arguments that GRUB cannot quote are refused', () => {
  expect(() => grubMachineConfig(["init='x'"])).toThrow(LabError);
  expect(grubMachineConfig([])).toBe("set machine_arguments=''\n");
});

test('injection sets owner and mode of every file', () => {
  expect(injectionCommands([{ from: '/a b', to: '/etc/x', mode: '600' }]).split('\n')).toEqual([
    'rm /etc/x',
    'write "/a b" /etc/x',
    'set_inode_field /etc/x mode 0100600',
    'set_inode_field /etc/x uid 0',
    'set_inode_field /etc/x gid 0',
    '',
  ]);
});

test('an image without a manifest names the file and the remedy', async () => {
  await expect(readImage(folder)).rejects.toMatchObject({
    message: expect.stringContaining('manifest.json') as string,
    remedy: expect.stringContaining(folder) as string,
  });
});

test('keys are made once, private to their owner', async () => {
  const file = join(folder, 'keys/client');
  const first = await ensureKeyPair(file, 'comment');
  expect(first.publicKey).toMatch(/^ssh-ed25519 AAAA\S+$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await ensureKeyPair(file, 'comment')).publicKey).toBe(first.publicKey);
});

test('device memory keeps its content and gets the size asked for', async () => {
  const file = join(folder, 'vram');
  await ensureDeviceMemory(file, 4096);
  await writeFile(file, Buffer.alloc(4096, 7));
  await ensureDeviceMemory(file, 8192);
  const content = await readFile(file);
  expect([content.length, content[0], content[8191]]).toEqual([8192, 7, 0]);
});
