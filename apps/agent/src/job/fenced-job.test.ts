import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { JobFailure } from './failure.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

let folder: string;
let lab: FakeLab;
let spool: AttemptSpool;
let stop: AbortController;
let leaseProblem: Error | null;
let context: AttemptContext;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fenced-'));
  lab = await startFakeLab(folder, { tests: [{ id: 'F01', act: 'hang' }], testTimeoutSeconds: 60 });
  const assignment = lab.assign();
  spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  stop = new AbortController();
  leaseProblem = null;
  const lease = {
    check: (): void => {
      if (leaseProblem !== null) throw leaseProblem;
    },
  };
  const { work } = assignment;
  context = new AttemptContext(assignment, work, lab.machine, lab.bundles, spool, FAKE_PACE, stop.signal, lease);
});
afterEach(async () => {
  await lab.fake.stop();
  spool.close();
  rmSync(folder, { recursive: true, force: true });
});

const events = (): AttemptEvent[] =>
  spool
    .file('events')
    .read(0, 10_000, 1e9)
    .flatMap((entry) => ('event' in entry ? [entry.event] : []));
const finished = () => events().find((event) => event.type === 'finished');
const inTest = (): Promise<boolean> => eventually('the test', () => lab.fake.commands.includes('suite'));

describe('a machine that a newer attempt has', () => {
  it('is left as it is: nothing is flashed, nothing restored, and no person is called', async () => {
    lab.fake.fence = { fence: 99, token: 'newer' };
    await runTestJob(context);
    expect(finished()).toMatchObject({
      failure: { class: 'infrastructure', stage: 'prepare', message: expect.stringContaining('has the fence 99') },
      restored: true,
      fenceSeen: 99,
    });
    expect(lab.fake.commands.filter((purpose) => purpose !== 'identify')).toEqual(['fence-claim']);
    expect(lab.fake.fence).toEqual({ fence: 99, token: 'newer' });
  });

  it('taken in the middle of a test, is not touched any more, and its restoring is left to the newer one', async () => {
    const running = runTestJob(context);
    await inTest();
    lab.fake.fence = { fence: 99, token: 'newer' };
    const before = lab.fake.commands.length;
    stop.abort(new JobFailure('infrastructure', 'the lease ran out'));
    await running;
    expect(finished()).toMatchObject({ failure: { message: 'the lease ran out' }, restored: null, fenceSeen: 99 });
    expect(events()).toContainEqual(expect.objectContaining({ type: 'stage', stage: 'restore', status: 'skipped' }));
    expect(lab.fake.commands.slice(before)).toEqual([]);
    expect(lab.fake).toMatchObject({ running: 'candidate', resets: 0 });
    expect(lab.fake.refusals).toBeGreaterThan(0);
  });
});

it('a job without a lease takes no machine', async () => {
  leaseProblem = new JobFailure('infrastructure', 'the lease ran out');
  await runTestJob(context);
  expect(finished()).toMatchObject({ failure: { class: 'infrastructure', message: 'the lease ran out' } });
  expect(lab.fake.commands).toEqual([]);
  expect(lab.fake.fence).toBeNull();
});

describe('a machine with a fence that no attempt ever had', () => {
  it('is taken and restored once the controller says so', async () => {
    lab.fake.fence = { fence: 9999, token: 'forged' };
    const told = { ...spool.record.assignment, forgedFence: 9999 };
    const lease = { check: (): void => undefined };
    const { work } = told;
    if (work.kind !== 'test') throw new Error('the lab assigns tests');
    context = new AttemptContext(told, work, lab.machine, lab.bundles, spool, FAKE_PACE, stop.signal, lease);
    const running = runTestJob(context);
    await inTest();
    expect(lab.fake.fence).toMatchObject({ fence: told.fence });
    stop.abort(new JobFailure('canceled', 'enough'));
    await running;
    expect(finished()).toMatchObject({ restored: true });
    expect(finished()).not.toHaveProperty('fenceSeen');
  });

  it('lowered in the middle of a test, is restored all the same', async () => {
    const running = runTestJob(context);
    await inTest();
    lab.fake.fence = { fence: 0, token: '' };
    stop.abort(new JobFailure('canceled', 'enough'));
    await running;
    expect(finished()).toMatchObject({ restored: true });
    expect(lab.fake.running).not.toBe('candidate');
  });
});
