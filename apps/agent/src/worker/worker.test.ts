import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Assignment, AttemptEvent, FromAgent, HeldParticipant, SequencedEvent, Work } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import { until } from '../timing.js';
import { FLEET_PACE, FleetWatch } from './fleet-watch.js';
import { Worker } from './worker.js';

/** A controller's view: stores what comes, acknowledges it when told to. */
class Recorder {
  readonly frames: FromAgent[] = [];
  readonly lines = new Map<string, string[]>();
  readonly #byAttempt = new Map<string, SequencedEvent[]>();
  acknowledging = true;
  renewing = true;
  worker: Worker | null = null;
  /** Milliseconds by which the agent's clock is ahead of the time that its timers know. */
  aheadMs = 0;

  readonly clock = (): number => performance.now() + this.aheadMs;

  /** Takes a heartbeat, and renews what it names. */
  readonly beat = (): void => {
    const { beat, participants } = this.worker?.report() ?? { beat: 0, participants: [] };
    if (this.renewing) this.renew(beat, participants);
  };

  renew(beat: number, participants: readonly HeldParticipant[], leaseSeconds = 30): void {
    const named = participants.map(({ participantId, fence }) => ({ participantId, fence }));
    setImmediate(() => this.worker?.receive({ type: 'renewed', beat, leaseSeconds, participants: named }));
  }

  readonly send = (frame: FromAgent): boolean => {
    this.frames.push(frame);
    if (frame.type === 'log') {
      const key = `${frame.participantId} ${frame.stream}`;
      const stored = this.lines.get(key) ?? [];
      for (const line of frame.lines) {
        expect(line.seq).toBeLessThanOrEqual(stored.length);
        stored[line.seq] = line.text;
      }
      this.lines.set(key, stored);
      this.#acknowledge(frame.participantId, frame.stream, stored.length);
    }
    if (frame.type === 'meeting' && frame.at !== null) {
      const peers = [
        { role: 'server', value: '{"kernel":"7.3.4","link":null,"address":null,"rdmaDevice":null,"gid":null}' },
      ];
      const met = { type: 'meeting' as const, participantId: frame.participantId, place: frame.at.place };
      setImmediate(() => this.worker?.receive({ ...met, outcome: { kind: 'met', peers } }));
    }
    if (frame.type === 'events') {
      const stored = this.eventsOf(frame);
      for (const entry of frame.events) stored[entry.seq] = entry;
      this.#acknowledge(frame.participantId, 'events', stored.length);
    }
    return true;
  };

  #acknowledge(
    participantId: string,
    stream: 'events' | 'serial' | 'kernel' | 'test' | 'agent' | 'build',
    next: number,
  ): void {
    if (this.acknowledging) setImmediate(() => this.worker?.receive({ type: 'ack', participantId, stream, next }));
  }

  /** Of the attempt that reported first, or of the given one, in order. */
  eventsOf({ participantId }: { participantId: string }): SequencedEvent[] {
    const known = this.#byAttempt.get(participantId) ?? [];
    this.#byAttempt.set(participantId, known);
    return known;
  }

  /** The newest event of the attempt that was begun last. */
  get last(): AttemptEvent | undefined {
    return [...this.#byAttempt.values()].at(-1)?.at(-1)?.event;
  }

  endOf(assignment: Assignment): Extract<AttemptEvent, { type: 'finished' }> | null {
    const event = this.eventsOf(assignment).at(-1)?.event;
    return event?.type === 'finished' ? event : null;
  }

  of<T extends FromAgent['type']>(type: T): Extract<FromAgent, { type: T }>[] {
    return this.frames.filter((frame): frame is Extract<FromAgent, { type: T }> => frame.type === type);
  }
}

let folder: string;
let lab: FakeLab;
let recorder: Recorder;
let worker: Worker;

const spools = (): string[] => readdirSync(join(folder, 'state', 'spool'));
function makeWorker(state = 'state', by = recorder): Worker {
  const made = new Worker({
    stateDir: join(folder, state),
    machines: [lab.machine],
    bundles: lab.bundles,
    build: null,
    buildSlots: 0,
    takesTests: true,
    send: by.send,
    sendHeartbeat: by.beat,
    clock: by.clock,
    pace: FAKE_PACE,
  });
  by.worker = made;
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
const inTest = (): Promise<boolean> =>
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
      expect(recorder.lines.get(`${assignment.participantId} ${stream}`)).toHaveLength(count);
    }
    expect(worker.participants()).toEqual([]);
  });

  it('keeps a finished attempt until it is acknowledged, over a reconnect', async () => {
    await setUp();
    recorder.acknowledging = false;
    const assignment = lab.assign();
    worker.receive({ type: 'assign', assignment });
    await eventually('the job to end', () => !worker.isBusy('v-switch'));
    expect(recorder.last?.type).not.toBe('finished');
    expect(worker.participants()).toHaveLength(1);
    worker.pauseSending();
    recorder.acknowledging = true;
    const { participantId, fence } = assignment;
    worker.receive({
      type: 'welcome',
      protocol: 1,
      agent: 'lab',
      participants: [{ participantId, fence, ackedNext: { agent: 2, events: 1 } }],
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
    worker.receive({ type: 'assign', assignment: { ...lab.assign(), fence: first.fence - 1 } });
    const other = lab.assign();
    other.work.machine = 'v-elsewhere';
    worker.receive({ type: 'assign', assignment: other });
    const build: Work = { kind: 'build', buildName: 'b', series: [], config: 'peerlab' };
    worker.receive({ type: 'assign', assignment: { ...lab.assign(), work: build } });
    expect(recorder.of('declined').map((frame) => frame.reason)).toEqual([
      `the newer attempt ${first.participantId} is on v-switch`,
      'this agent has no machine "v-elsewhere"',
      'this agent does not build',
    ]);
    expect(spools()).toEqual([first.participantId]);
  });

  it('a revoked attempt stops, restores its machine, delivers all it has, and is forgotten then', async () => {
    await setUp(HANGING);
    const revoked = lab.assign();
    worker.receive({ type: 'assign', assignment: revoked });
    await inTest();
    recorder.acknowledging = false;
    worker.receive({
      type: 'drop',
      participantId: revoked.participantId,
      code: 'revoked',
      reason: 'its lease ran out',
    });
    expect(worker.participants()).toMatchObject([{ participantId: revoked.participantId, state: 'stopping' }]);
    await eventually('the job to end', () => !worker.isBusy('v-switch'));
    expect(lab.fake).toMatchObject({ running: 'default', customConfig: '' });
    expect(worker.participants()).toMatchObject([{ participantId: revoked.participantId, state: 'finished' }]);
    expect(spools()).toEqual([revoked.participantId]);
    worker.pauseSending();
    recorder.acknowledging = true;
    const { participantId, fence } = revoked;
    worker.receive({
      type: 'welcome',
      protocol: 5,
      agent: 'lab',
      participants: [{ participantId, fence, ackedNext: {}, revoked: 'its lease ran out' }],
    });
    await eventually('the spool to go', () => spools().length === 0);
    expect(recorder.endOf(revoked)).toMatchObject({
      failure: { class: 'infrastructure', message: 'the attempt was revoked: its lease ran out' },
      restored: true,
    });
    const { lineCounts = {} } = recorder.endOf(revoked) ?? {};
    for (const [stream, count] of Object.entries(lineCounts)) {
      expect(recorder.lines.get(`${participantId} ${stream}`)).toHaveLength(count);
    }
  });

  it('an unknown attempt stops, restores its machine, and sends nothing more; the next one waits for that', async () => {
    await setUp(HANGING);
    const unknown = lab.assign();
    worker.receive({ type: 'assign', assignment: unknown });
    await inTest();
    worker.receive({ type: 'drop', participantId: unknown.participantId, code: 'unknown', reason: 'stale fence' });
    const framesThen = recorder.frames.length;
    lab.fake.suites['p2p-functional'] = [{ id: 'F01', act: 'pass' }];
    const next = { ...lab.assign(), fence: unknown.fence + 1 };
    worker.receive({ type: 'assign', assignment: next });
    expect(worker.participants().map((attempt) => attempt.participantId)).toEqual([next.participantId]);
    await eventually('the next to end', () => recorder.endOf(next) !== null);
    expect(recorder.endOf(next)).toMatchObject({ failure: null, restored: true });
    const later = recorder.frames.slice(framesThen);
    expect(later.some((frame) => 'participantId' in frame && frame.participantId === unknown.participantId)).toBe(
      false,
    );
    await eventually('both spools to go', () => spools().length === 0);
  });

  it('a higher fence for its machine ends the older attempt; the new one begins when the machine is restored', async () => {
    await setUp(HANGING);
    const older = lab.assign();
    worker.receive({ type: 'assign', assignment: older });
    await inTest();
    lab.fake.suites['p2p-functional'] = [{ id: 'F01', act: 'pass' }];
    const newer = { ...lab.assign(), fence: older.fence + 1 };
    worker.receive({ type: 'assign', assignment: newer });
    expect(recorder.of('accepted').map(({ participantId }) => participantId)).toEqual([
      older.participantId,
      newer.participantId,
    ]);
    expect(recorder.of('declined')).toEqual([]);
    await eventually('both to end', () => recorder.endOf(older) !== null && recorder.endOf(newer) !== null);
    expect(recorder.endOf(older)).toMatchObject({
      failure: { class: 'infrastructure', message: expect.stringContaining('v-switch was given to another attempt') },
      restored: true,
    });
    expect(recorder.endOf(newer)).toMatchObject({ failure: null, restored: true });
    const at = (assignment: Assignment, stage: string): number =>
      recorder.eventsOf(assignment).find(({ event }) => event.type === 'stage' && event.stage === stage)?.at ?? 0;
    expect(at(newer, 'prepare')).toBeGreaterThanOrEqual(recorder.eventsOf(older).at(-1)?.at ?? Infinity);
    await eventually('both spools to go', () => spools().length === 0);
  });

  it('what the controller does not name in its welcome is dropped', async () => {
    await setUp(HANGING);
    worker.receive({ type: 'assign', assignment: lab.assign() });
    await inTest();
    worker.receive({ type: 'welcome', protocol: 1, agent: 'lab', participants: [] });
    await eventually('the spool to go', () => spools().length === 0);
    expect(lab.fake.running).toBe('default');
    expect(lab.fake.customConfig).toBe('');
  });

  it('cancel ends the attempt as canceled with the reason', async () => {
    await setUp(HANGING);
    const assignment = lab.assign();
    worker.receive({ type: 'assign', assignment });
    await inTest();
    worker.receive({ type: 'cancel', participantId: assignment.participantId, reason: 'wrong branch' });
    await eventually('the end', () => recorder.last?.type === 'finished');
    expect(recorder.last).toMatchObject({ failure: { class: 'canceled', message: 'wrong branch' }, restored: true });
  });

  it('a failed peer ends its part with the reason, the machine restored and the evidence kept', async () => {
    await setUp(HANGING);
    const assignment = { ...lab.assign(), role: 'client', peers: [{ role: 'server', machine: 'v-other' }] };
    worker.receive({ type: 'assign', assignment });
    await inTest();
    worker.receive({
      type: 'stop',
      participantId: assignment.participantId,
      reason: 'participant server failed: gone',
    });
    await eventually('the end', () => recorder.last?.type === 'finished');
    expect(recorder.last).toMatchObject({
      failure: { class: 'peer', message: 'participant server failed: gone' },
      restored: true,
    });
    expect(lab.fake.running).toBe('default');
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
    const { participantId, fence } = assignment;
    expect(worker.participants()).toMatchObject([{ participantId, stage: 'test' }]);
    worker.receive({
      type: 'welcome',
      protocol: 1,
      agent: 'lab',
      participants: [{ participantId, fence, ackedNext: {} }],
    });
    await eventually('the end', () => recorder.last?.type === 'finished');
    expect(recorder.last).toMatchObject({
      failure: { class: 'infrastructure', stage: 'test', message: 'the agent restarted in stage test' },
      restored: true,
    });
    expect(lab.fake.running).toBe('default');
    expect(lab.fake.customConfig).toBe('');
  });
});

describe('Worker, by its lease', () => {
  const prepared = (): boolean => lab.fake.commands.includes('fence-claim');

  it('touches nothing before the controller confirmed the lease', async () => {
    await setUp();
    recorder.renewing = false;
    const assignment = lab.assign();
    worker.receive({ type: 'assign', assignment });
    expect(recorder.of('accepted')).toHaveLength(1);
    const { beat, participants } = worker.report();
    // An answer to an older report than that in which the attempt first stood means nothing for it.
    recorder.renew(beat - 99, participants);
    // Nor does one that was under way for longer than the lease lasts.
    recorder.aheadMs += 31_000;
    recorder.renew(beat, participants);
    await until('the answers', () => new Promise<true>((resolve) => setImmediate(() => resolve(true))), {
      everyMs: 1,
      timeoutMs: 1_000,
    });
    expect(lab.fake.commands).toEqual([]);
    recorder.renewing = true;
    recorder.beat();
    await eventually('the end', () => recorder.endOf(assignment) !== null);
    expect(recorder.endOf(assignment)?.failure).toBeNull();
    expect(prepared()).toBe(true);
  });

  it('stops by itself when the lease runs out, restores the machine, and delivers the evidence', async () => {
    await setUp(HANGING);
    recorder.renewing = false;
    const assignment = lab.assign();
    worker.receive({ type: 'assign', assignment });
    const sentAt = recorder.clock();
    const { beat, participants } = worker.report();
    recorder.renew(beat, participants);
    await inTest();
    expect(lab.fake.running).toBe('candidate');
    // Most of the lease is over; an answer that says nothing new does not prolong it.
    recorder.aheadMs += 0.9 * 30_000 - 500 - (recorder.clock() - sentAt);
    recorder.renew(beat, participants);
    await eventually('the end', () => recorder.endOf(assignment) !== null);
    expect(recorder.endOf(assignment)).toMatchObject({
      failure: { class: 'infrastructure', stage: 'test', message: expect.stringContaining('the lease ran out') },
      restored: true,
    });
    expect(lab.fake).toMatchObject({ running: 'default', customConfig: '', nextEntry: null });
    await eventually('the spool to go', () => spools().length === 0);
  });

  it('held up for longer than its lease, it does nothing to the machine but restore it', async () => {
    await setUp(HANGING);
    const assignment = lab.assign();
    worker.receive({ type: 'assign', assignment });
    await inTest();
    const before = lab.fake.commands.length;
    // As after SIGSTOP or a suspended host: the clock went on, the timers did not.
    recorder.aheadMs += 60_000;
    recorder.beat();
    await eventually('the end', () => recorder.endOf(assignment) !== null);
    expect(recorder.endOf(assignment)).toMatchObject({
      failure: { class: 'infrastructure', message: expect.stringMatching(/lease ran out.*ago/) },
      restored: true,
    });
    const done = lab.fake.commands.slice(before);
    expect(done).toContain('reboot');
    for (const purpose of ['grub-select', 'suite', 'modprobe', 'place-file']) expect(done).not.toContain(purpose);
  });
});

describe('two agents with one machine in their configuration', () => {
  it('the one with the lower fence is refused by the machine, and leaves it to the other one', async () => {
    await setUp(HANGING);
    const older = lab.assign();
    worker.receive({ type: 'assign', assignment: older });
    await inTest();
    // The controller gave the machine to another agent. This one has not heard of it: it is cut off.
    const newRecorder = new Recorder();
    const newWorker = makeWorker('other-state', newRecorder);
    lab.fake.suites['p2p-functional'] = [{ id: 'F01', act: 'pass' }];
    const newer = { ...lab.assign(), fence: older.fence + 1 };
    newWorker.receive({ type: 'assign', assignment: newer });
    await eventually('the newer one to end', () => newRecorder.endOf(newer) !== null);
    expect(newRecorder.endOf(newer)).toMatchObject({ failure: null, restored: true });
    await eventually('the older one to notice', () => recorder.endOf(older) !== null);
    expect(recorder.endOf(older)).toMatchObject({ failure: { class: 'infrastructure' }, restored: null });
    expect(lab.fake.refusals).toBeGreaterThan(0);
    expect(lab.fake).toMatchObject({ running: 'default', customConfig: '', resets: 0 });
    // One flash by each: the older one's came before the machine was taken from it.
    expect(lab.fake.commands.filter((purpose) => purpose === 'grub-select')).toHaveLength(2);
    newWorker.stop();
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
    const fleet = new FleetWatch([machine], (name) => worker.isBusy(name), recorder.send, null, undefined, {
      ...FLEET_PACE,
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

  it('an inventory that is too large to be sent is said, and not sent again before it is read anew', async () => {
    await setUp();
    lab.fake.inventory = readFileSync(new URL('../inventory/samples/v-switch.txt', import.meta.url), 'utf8');
    const sent: string[] = [];
    const fleet: FleetWatch = new FleetWatch(
      [lab.machine],
      () => false,
      (frame) => {
        if (frame.type !== 'inventory') return true;
        sent.push(frame.machine);
        if (sent.length === 1) fleet.inventoryTooLarge(frame.machine, 9_000_000);
        return sent.length > 1;
      },
      null,
      undefined,
      { ...FLEET_PACE, connectTimeoutMs: 2_000, idleMs: 20, absentMs: 20 },
    );
    fleet.start();
    await eventually('the problem', () => fleet.states()[0]?.problem?.startsWith('its inventory is larger') === true);
    expect(fleet.states()[0]).toMatchObject({ reachable: true });
    fleet.announceAll();
    const looks = lab.fake.commands.length;
    await eventually('more looks', () => lab.fake.commands.length > looks + 3);
    expect(sent).toHaveLength(1);
    fleet.probe('v-switch');
    await eventually('a new reading', () => sent.length === 2);
    expect(fleet.states()[0]).toMatchObject({ reachable: true, problem: null });
    fleet.announceAll();
    expect(sent).toHaveLength(3);
    fleet.stop();
  });
});
