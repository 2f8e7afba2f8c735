import { mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogLine, LogStream, SequencedEvent } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, FAKE_SUITE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import type { FakeTest } from '../fake/fake-machine.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { SpoolDisk } from '../spool/spool-disk.js';
import { JobFailure } from './failure.js';
import { LINES_KEPT } from './suite-limits.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

let folder: string;
let lab: FakeLab | null;
let spool: AttemptSpool;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spooled-job-'));
  lab = null;
});
afterEach(async () => {
  await lab?.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

const lines = (stream: LogStream): LogLine[] => spool.file(stream).read(0, 1e6, 1e12) as LogLine[];

describe('a test job', () => {
  const events = (): SequencedEvent['event'][] =>
    (spool.file('events').read(0, 1e6, 1e12) as SequencedEvent[]).map(({ event }) => event);

  async function benchOn(disk: SpoolDisk, test: FakeTest): Promise<AttemptContext> {
    lab = await startFakeLab(folder, { testTimeoutSeconds: 60 });
    lab.fake.suites = { [FAKE_SUITE]: [test] };
    const assignment = lab.assign();
    spool = AttemptSpool.create(join(folder, 'spool'), assignment, disk);
    const stop = new AbortController();
    // As the worker does it.
    spool.onFault = (fault) => stop.abort(new JobFailure('infrastructure', fault.message));
    return new AttemptContext(assignment, assignment.work, lab.machine, lab.bundles, spool, FAKE_PACE, stop.signal, {
      check: () => undefined,
    });
  }

  it('counts the output of a test that prints without end, in its place', async () => {
    const output = (): string[] => Array.from({ length: LINES_KEPT + 57 }, (_, i) => `word ${i} differs`);
    await runTestJob(await benchOn(new SpoolDisk(), { id: 'F01', act: 'fail', output }));
    const stored = lines('test');
    const gap = stored.findIndex((line) => line.gap !== undefined);
    expect(stored[gap]?.gap).toMatchObject({ lines: 58, reason: 'flood' });
    expect(stored[gap + 1]?.text).toBe('not ok 1 F01');
    expect(events().at(-1)).toMatchObject({ type: 'finished', failure: null, lineCounts: { test: stored.length } });
    spool.close();
  });

  it('ends as infrastructure when the disk is full, restores the machine, and says so once there is room', async () => {
    let refusing = false;
    const disk = new SpoolDisk({
      write: (fd, bytes, offset) => {
        if (refusing) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        return writeSync(fd, bytes, offset);
      },
    });
    const fill = (): string[] => {
      refusing = true;
      return ['the disk is full from here on'];
    };
    const context = await benchOn(disk, { id: 'F01', act: 'hang', output: fill });
    await runTestJob(context);
    expect(lab?.fake.running).toBe('default');
    expect(lab?.fake.customConfig).toBe('');
    expect(spool.finished).toBe(true);
    expect(events().some(({ type }) => type === 'finished')).toBe(false);
    refusing = false;
    await eventually('the end', () => spool.settled);
    expect(events().at(-1)).toMatchObject({
      type: 'finished',
      restored: true,
      failure: { class: 'infrastructure', stage: 'test', message: expect.stringContaining('ENOSPC') as string },
    });
    expect(lines('test').at(-1)).toMatchObject({ gap: { reason: 'disk-full' } });
    expect(lines('agent').at(-1)).toMatchObject({ gap: { reason: 'disk-full' } });
    spool.close();
  });
});
