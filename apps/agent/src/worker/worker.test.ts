import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent, FromAgent, SequencedEvent, Work } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import { createJournal } from '../journal.js';
import { until } from '../timing.js';
import { FleetWatch } from './fleet-watch.js';
import { Worker } from './worker.js';

/** A controller's view: stores what comes, acknowledges it when told to. */
class Recorder {
  readonly frames: FromAgent[] = [];
  readonly lines = new Map<string, string[]>();
  readonly events: SequencedEvent[] = [];
  acknowledging = true;
  worker: Worker | null = null;

  readonly send = (frame: FromAgent): boolean => {
    this.frames.push(frame);
    if (frame.type === 'log') {
      const key = `${frame.attemptId} ${frame.stream}`;
      const stored = this.lines.get(key) ?? [];
      for (const line of frame.lines) {
        expect(line.seq).toBeLessThanOrEqual(stored.length);
        stored[line.seq] = line.text;
      }
      this.lines.set(key, stored);
      this.acknowledge(frame.attemptId, frame.stream, stored.length);
    }
    if (frame.type === 'events') {
      for (const entry of frame.events) this.events[entry.seq] = entry;
      this.acknowledge(frame.attemptId, 'events', this.events.length);
    }
    return true;
  };

  private acknowledge(
    attemptId: string,
    stream: 'events' | 'serial' | 'kernel' | 'test' | 'agent' | 'build',
    next: number,
  ): void {
    if (this.acknowledging) setImmediate(() => this.worker?.receive({ type: 'ack', attemptId, stream, next }));
  }

  get last(): AttemptEvent | undefined {
    return this.events.at(-1)?.event;
  }

  of<T extends FromAgent['type']>(type: T): Extract<FromAgent, { type: T }>[] {
    return this.frames.filter((frame): frame is Extract<FromAgent, { type: T }> => frame.type === type);
  }
}

let folder: string;
let lab: FakeLab;
let recorder: Recorder;
let worker: Worker;

const journal = createJournal(() => undefined);
const spools = (): string[] => readdirSync(join(folder, 'state', 'spool'));
const eventually = (what: string, check: () => boolean): Promise<true> =>
  until(what, () => (check() ? true : undefined), { everyMs: 10, timeoutMs: 10_000 });

function makeWorker(): Worker {
  const made = new Worker({
    stateDir: join(folder, 'state'),
    machines: [lab.machine],
    bundles: lab.bundles,
    build: null,
    buildSlots: 0,
    takesTests: true,
    journal,
    send: recorder.send,
    pace: FAKE_PACE,
  });
  recorder.worker = made;
  made.start();
  return made;
}

async function setUp(options: FakeLabOptions = {}): Promise<void> {
  lab = await startFakeLab(folder, options);
  recorder = new Recorder();
  worker = makeWorker();
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'worker-'));
});
afterEach(async () => {
  worker.stop();
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

const HANGING = { tests: [{ id: 'F01', act: 'hang' as const }], testTimeoutSeconds: 60 };
const inTest = (): Promise<true> =>
  eventually('the test', () => [...recorder.lines.values()].some((lines) => lines.includes('# test: F01')));

describe('Worker', () => {
  it('carries an attempt to its end, sends every line, and forgets it when all is acknowledged', async () => {
    await setUp();
    const assignment = lab.assign();
    worker.receive({ type: 'assign', assignment });
    expect(recorder.of('accepted')).toHaveLength(1);
    expect(worker.isBusy('v-switch')).toBe(true);
    await eventually('the end', () => recorder.last?.type === 'finished');
    await eventually('the spool to go', () => spools().length === 0);
    const { last } = recorder;
    if (last?.type !== 'finished') throw new Error('unreachable');
    expect(last.failure).toBeNull();
    for (const [stream, count] of Object.entries(last.lineCounts)) {
      expect(recorder.lines.get(`${assignment.attemptId} ${stream}`)).toHaveLength(count);
    }
    expect(worker.attempts()).toEqual([]);
  });

  it('keeps a finished attempt until it is acknowledged, over a reconnect', async () => {
    await setUp();
    recorder.acknowledging = false;
    const assignment = lab.assign();
    worker.receive({ type: 'assign', assignment });
    await eventually('the job to end', () => !worker.isBusy('v-switch'));
    expect(recorder.last?.type).not.toBe('finished');
    expect(worker.attempts()).toHaveLength(1);
    worker.pauseSending();
    recorder.acknowledging = true;
    const { attemptId, fence } = assignment;
    worker.receive({
      type: 'welcome',
      protocol: 1,
      agent: 'lab',
      attempts: [{ attemptId, fence, ackedNext: { agent: 2, events: 1 } }],
    });
    await eventually('the spool to go', () => spools().length === 0);
    expect(recorder.last?.type).toBe('finished');
  });

  it('declines what it cannot do, and says why; the same assignment again is only confirmed', async () => {
    await setUp(HANGING);
    const first = lab.assign();
    worker.receive({ type: 'assign', assignment: first });
    worker.receive({ type: 'assign', assignment: first });
    expect(recorder.of('accepted')).toHaveLength(2);
    worker.receive({ type: 'assign', assignment: lab.assign() });
    const other = lab.assign();
    other.work.machine = 'v-elsewhere';
    worker.receive({ type: 'assign', assignment: other });
    const build: Work = { kind: 'build', buildName: 'b', series: [], config: 'peerlab' };
    worker.receive({ type: 'assign', assignment: { ...lab.assign(), work: build } });
    expect(recorder.of('declined').map((frame) => frame.reason)).toEqual([
      `attempt ${first.attemptId} is on v-switch`,
      'this agent has no machine "v-elsewhere"',
      'this agent does not build',
    ]);
    expect(spools()).toEqual([first.attemptId]);
  });

  it('a dropped attempt stops, restores its machine and sends nothing more; the next one waits for that', async () => {
    await setUp(HANGING);
    const dropped = lab.assign();
    worker.receive({ type: 'assign', assignment: dropped });
    await inTest();
    worker.receive({ type: 'drop', attemptId: dropped.attemptId, reason: 'stale fence' });
    const framesThen = recorder.frames.length;
    lab.fake.suites['p2p-functional'] = [{ id: 'F01', act: 'pass' }];
    const next = lab.assign();
    recorder.events.length = 0;
    worker.receive({ type: 'assign', assignment: next });
    expect(worker.attempts().map((attempt) => attempt.attemptId)).toEqual([next.attemptId]);
    await eventually('the next to end', () => recorder.last?.type === 'finished');
    expect(recorder.last).toMatchObject({ failure: null, restored: true });
    const later = recorder.frames.slice(framesThen);
    expect(later.some((frame) => 'attemptId' in frame && frame.attemptId === dropped.attemptId)).toBe(false);
    await eventually('both spools to go', () => spools().length === 0);
  });

  it('what the controller does not name in its welcome is dropped', async () => {
    await setUp(HANGING);
    worker.receive({ type: 'assign', assignment: lab.assign() });
    await inTest();
    worker.receive({ type: 'welcome', protocol: 1, agent: 'lab', attempts: [] });
    await eventually('the spool to go', () => spools().length === 0);
    expect(lab.fake.running).toBe('default');
    expect(lab.fake.customConfig).toBe('');
  });

  it('cancel ends the attempt as canceled with the reason', async () => {
    await setUp(HANGING);
    const assignment = lab.assign();
    worker.receive({ type: 'assign', assignment });
    await inTest();
    worker.receive({ type: 'cancel', attemptId: assignment.attemptId, reason: 'wrong branch' });
    await eventually('the end', () => recorder.last?.type === 'finished');
    expect(recorder.last).toMatchObject({ failure: { class: 'canceled', message: 'wrong branch' }, restored: true });
  });

  it('after a restart ends what was running as infrastructure, and restores the machine first', async () => {
    await setUp(HANGING);
    const assignment = lab.assign();
    worker.receive({ type: 'assign', assignment });
    await inTest();
    expect(lab.fake.running).toBe('candidate');
    worker.stop();
    worker = makeWorker();
    expect(worker.isBusy('v-switch')).toBe(true);
    const { attemptId, fence } = assignment;
    expect(worker.attempts()).toMatchObject([{ attemptId, stage: 'test' }]);
    worker.receive({ type: 'welcome', protocol: 1, agent: 'lab', attempts: [{ attemptId, fence, ackedNext: {} }] });
    await eventually('the end', () => recorder.last?.type === 'finished');
    expect(recorder.last).toMatchObject({
      failure: { class: 'infrastructure', stage: 'test', message: 'the agent restarted in stage test' },
      restored: true,
    });
    expect(lab.fake.running).toBe('default');
    expect(lab.fake.customConfig).toBe('');
  });
});

describe('FleetWatch', () => {
  it('tells which machines answer, why others do not, and notices changes', async () => {
    await setUp();
    const { access } = lab.machine;
    let connections = 0;
    const connect: typeof access.connect = (options) => {
      connections += 1;
      return access.connect(options);
    };
    const machine = { ...lab.machine, access: { ...access, connect } };
    const fleet = new FleetWatch([machine], (name) => worker.isBusy(name), recorder.send, journal, {
      connectTimeoutMs: 2_000,
      idleMs: 50,
      absentMs: 50,
    });
    fleet.start();
    // The fake has no inventory to read: the machine answers, but with a problem that is said.
    await eventually('a look', () => fleet.states()[0]?.problem !== 'not looked at yet');
    expect(fleet.states()[0]).toMatchObject({ name: 'v-switch', labels: { lab: 'fake' }, reachable: false });
    // Look after look over one connection.
    await eventually(
      'more looks',
      () => lab.fake.commands.filter((command) => command.includes('identify')).length > 3,
    );
    expect(connections).toBe(1);
    await lab.fake.ssh.close();
    await eventually('silence', () => fleet.states()[0]?.problem?.includes('does not answer by SSH') === true);
    fleet.stop();
  });
});
