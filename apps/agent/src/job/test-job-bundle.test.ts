import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import type { FakeMachine } from '../fake/fake-machine.js';
import { tarEntry, tarHeader, tarOf } from '../fake/tar-bytes.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

let folder: string;
let fake: FakeMachine;
let context: AttemptContext;
let spool: AttemptSpool;

async function setUp(options: FakeLabOptions = {}): Promise<void> {
  const lab = await startFakeLab(folder, options);
  fake = lab.fake;
  const assignment = lab.assign();
  spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const { signal } = new AbortController();
  const lease = { check: () => undefined };
  context = new AttemptContext(assignment, assignment.work, lab.machine, lab.bundles, spool, FAKE_PACE, signal, lease);
}

const finished = (): Extract<AttemptEvent, { type: 'finished' }> => {
  const last = spool.file('events').read(0, 10_000, 1e9).at(-1);
  if (last === undefined || !('event' in last) || last.event.type !== 'finished') throw new Error('it did not finish');
  return last.event;
};
const expectRestored = (): void => {
  expect(finished().restored).toBe(true);
  expect(fake.running).toBe('default');
  expect([...fake.files.keys()]).toEqual([]);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bundle-job-'));
});
afterEach(async () => {
  await fake.stop();
  spool.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('bundles', () => {
  it('a bundle that is not what it says is refused', async () => {
    await setUp();
    const file = context.work.manifest.files.vmlinuz;
    if (file !== undefined) file.sha256 = 'f'.repeat(64);
    await runTestJob(context);
    expect(finished().failure).toMatchObject({ class: 'request', stage: 'flash' });
    expect(finished().failure?.message).toContain('"vmlinuz" has another digest than expected');
  });
});

describe('modules of a bundle', () => {
  it.each<[string, (release: string) => Buffer, string]>([
    [
      'a link',
      (release) => tarOf(tarHeader({ name: `lib/modules/${release}/build`, type: '2', link: '/root' })),
      'is a symbolic link',
    ],
    ['files of the machine', () => tarOf(tarEntry({ name: 'etc/cron.d/x' }, 'x')), 'is not below lib/modules/'],
    [
      'a set-user-id file',
      (release) => tarOf(tarEntry({ name: `lib/modules/${release}/x`, mode: '0004755\0' }, 'x')),
      'set-user-id',
    ],
    ['no archive', () => Buffer.alloc(5_000, 'x'), 'it is no tar archive'],
  ])('are refused with %s, before anything of the bundle is on the machine', async (_, modules, why) => {
    await setUp({ modules });
    await runTestJob(context);
    expect(finished().failure).toMatchObject({
      class: 'request',
      stage: 'flash',
      message: expect.stringContaining(why),
    });
    expect(fake.commands).not.toContain('make-folders');
    expect(fake.commands).not.toContain('place-file');
    expectRestored();
  });

  it('never replace those of another kernel', async () => {
    await setUp();
    fake.foreignModules.add(context.work.manifest.release);
    await runTestJob(context);
    expect(finished().failure).toMatchObject({
      class: 'request',
      stage: 'flash',
      message: expect.stringContaining(
        `/lib/modules/${context.work.manifest.release} on v-switch belongs to another kernel`,
      ),
    });
    expect(fake.installedModules.size).toBe(0);
    expectRestored();
  });
});
