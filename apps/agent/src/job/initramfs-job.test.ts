import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FAKE_PACE, startFakeLab } from '../fake/fake-lab.js';
import type { FakeMachine } from '../fake/fake-machine.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

let folder: string;
let fake: FakeMachine;
let context: AttemptContext;
let spool: AttemptSpool;

/** What the commands about the initramfs answer. */
interface Answers {
  chain: string;
  files: string;
  /** Text of its error; null = it was made. */
  makeError?: string;
}

/** A machine whose config names a tool that makes initramfs, or none. */
async function begin(initramfs: boolean): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), 'initramfs-'));
  const lab = await startFakeLab(folder, { initramfs });
  ({ fake } = lab);
  const assignment = lab.assign();
  spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const { signal } = new AbortController();
  const lease = { check: () => undefined };
  context = new AttemptContext(assignment, assignment.work, lab.machine, lab.bundles, spool, FAKE_PACE, signal, lease);
}
async function end(): Promise<void> {
  await fake.stop();
  rmSync(folder, { recursive: true, force: true });
}
beforeEach(() => begin(true));
afterEach(end);

/** What the boot menu was when the candidate was selected. */
async function run({
  chain,
  files,
  makeError,
}: Answers): Promise<{ finished: AttemptEvent | undefined; menu: string }> {
  let menu = '';
  fake.onEvent = (event) => {
    if (event.type === 'command' && event.purpose === 'grub-select') menu = fake.customConfig;
  };
  const answer = (purpose: string, text: string, error?: string): void => {
    fake.answers.set(purpose, (channel) => {
      if (error === undefined) channel.write(text);
      else channel.writeError(error);
      channel.exit(error === undefined ? 0 : 1);
    });
  };
  answer('boot-chain', chain);
  answer('initramfs-make', '41943040\n', makeError);
  answer('initramfs-list', files);
  const initrd = context.machine.initramfs === null ? '' : '/peerlab-k-initrd.img\n';
  answer('grub-read', `/peerlab-k-vmlinuz\n${initrd}0b5e5f0a-4a0e-4a6e-9d7c-0d9f5a3c8b11\n`);
  await runTestJob(context);
  const events = spool.file('events').read(0, 10_000, 1e9);
  const finished = events.flatMap((entry) => ('event' in entry ? [entry.event] : [])).at(-1);
  return { finished, menu };
}

const CHAIN = 'root|/dev/mapper/vg-root|ext4\nmodule|0000:03:00.0|nvme\nmodule|dm-0|dm-mod\ntool|lvm\n';

it('boots the candidate with an initramfs of the machine’s own tool, checked for the way to its root', async () => {
  const { finished, menu } = await run({
    chain: CHAIN,
    files: 'usr/lib/modules/r/nvme.ko\nusr/lib/modules/r/dm-mod.ko\nusr/sbin/lvm\n',
  });
  expect(finished).toMatchObject({ failure: null, restored: true });
  expect(menu).toContain('--set=root 0b5e5f0a-4a0e-4a6e-9d7c-0d9f5a3c8b11');
  expect(menu).toContain('if initrd /peerlab-k-initrd.img; then');
  expect(fake.commands.indexOf('initramfs-make')).toBeGreaterThan(fake.commands.indexOf('unpack-modules'));
});

it('refuses a kernel that has no driver for the root of this machine, before anything boots', async () => {
  const { finished, menu } = await run({ chain: `${CHAIN}missing|0000:03:00.0|megaraid_sas\n`, files: '' });
  expect(finished).toMatchObject({
    failure: {
      class: 'request',
      message: expect.stringMatching(/cannot mount the root .*megaraid_sas, for 0000:03:00\.0/),
    },
  });
  expect(menu).toBe('');
  expect(fake.commands).not.toContain('initramfs-make');
});

const NO_CARD = 'network|enp0s2|\nnetwork-missing|0000:00:02.0|e1000e\n';

it('refuses a kernel that has no driver for the network card of this machine, before anything boots', async () => {
  const { finished, menu } = await run({ chain: `${CHAIN}${NO_CARD}`, files: '' });
  expect(finished).toMatchObject({
    failure: {
      class: 'request',
      stage: 'flash',
      message: expect.stringMatching(/goes over enp0s2: it has not e1000e, for 0000:00:02\.0; build it with/),
    },
    restored: true,
  });
  expect(menu).toBe('');
  expect(fake.commands).not.toContain('initramfs-make');
});

it('wants no driver of the network in the initramfs', async () => {
  const { finished } = await run({
    chain: `${CHAIN}network|enp0s2|\nnetwork-module|0000:00:02.0|e1000e\n`,
    files: 'usr/lib/modules/r/nvme.ko\nusr/lib/modules/r/dm-mod.ko\nusr/sbin/lvm\n',
  });
  expect(finished).toMatchObject({ failure: null, restored: true });
});

it('takes an initramfs without a part of the way for the lab’s trouble', async () => {
  const { finished, menu } = await run({ chain: CHAIN, files: 'usr/lib/modules/r/nvme.ko\n' });
  expect(finished).toMatchObject({
    failure: { class: 'infrastructure', message: expect.stringMatching(/lacks the module dm_mod, the program lvm/) },
    restored: true,
  });
  expect(menu).toBe('');
});

it('names the remedy when the tool runs out of space', async () => {
  const { finished } = await run({ chain: CHAIN, files: '', makeError: 'cpio: write error: No space left on device' });
  expect(finished).toMatchObject({
    failure: { class: 'infrastructure', message: expect.stringMatching(/No space left.*free space in \/boot/) },
  });
});

it('refuses a kernel that has the driver of the disk as a module, on a machine without an initramfs', async () => {
  await end();
  await begin(false);
  const { finished, menu } = await run({ chain: 'root|/dev/nvme0n1p2|ext4\nmodule|0000:03:00.0|nvme\n', files: '' });
  expect(finished).toMatchObject({
    failure: {
      class: 'request',
      message: expect.stringMatching(
        /cannot mount the root .*\/dev\/nvme0n1p2 \(ext4\).* has nvme as such; .*initramfs:/,
      ),
    },
    restored: true,
  });
  expect(menu).toBe('');
});

it.each([
  ['disk', 'missing|0000:03:00.0|nvme\n', /cannot mount the root .*nvme, for 0000:03:00\.0/],
  ['network card', NO_CARD, /it has not e1000e, for 0000:00:02\.0/],
])('refuses a kernel without the driver of the %s there, too', async (_, lacking, message) => {
  await end();
  await begin(false);
  const { finished, menu } = await run({ chain: `root|/dev/nvme0n1p2|ext4\n${lacking}`, files: '' });
  expect(finished).toMatchObject({
    failure: { class: 'request', stage: 'flash', message: expect.stringMatching(message) },
    restored: true,
  });
  expect(menu).toBe('');
});

it('boots one that has it built in without an initramfs', async () => {
  await end();
  await begin(false);
  const { finished, menu } = await run({ chain: 'root|/dev/nvme0n1p2|ext4\nbuiltin|0000:03:00.0|nvme\n', files: '' });
  expect(finished).toMatchObject({ failure: null, restored: true });
  expect(menu).not.toContain('initrd');
  expect(fake.commands).not.toContain('initramfs-make');
});
