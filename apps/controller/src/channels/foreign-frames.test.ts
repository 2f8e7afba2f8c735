import { AGENT_PROTOCOL, FromAgent, type Assignment } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleInventory, sampleManifest, sampleResult, SAMPLE_RUN } from '../testing/samples.js';

/** A terminal and a reservation of the machine of the other agent. */
const TERMINAL = '7e7e7e7e-0000-4000-8000-000000000001';
const RESERVATION = '5e5e5e5e-0000-4000-8000-000000000001';

/** Frames of an agent that are about an attempt or a machine of another one. */
let farm: TestFarm;
let owner: FakeAgent;
let foreign: FakeAgent;
let test: Assignment;
let build: Assignment;
beforeAll(async () => {
  farm = await TestFarm.start();
  owner = await farm.agent({ m1: 'BUS_ADDR' });
  foreign = await farm.agent({ other: 'THRU_HOST_BRIDGE' }, { name: 'foreign', capabilities: ['test'] });
  await farm.call('setMachine', { params: { machine: 'other' }, body: { desired: 'drained', reason: 'a test' } });
  const { manifest } = await farm.bundle('owned');
  const yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {names: [m1]}\n`;
  await farm.call('submitRun', { body: { yaml } });
  test = await owner.take('test');
  await farm.call('submitRun', { body: { yaml: SAMPLE_RUN } });
  build = await owner.take('build');
  const held = [test, build].map(({ participantId, fence, work }) => ({
    participantId,
    fence,
    machine: work.kind === 'test' ? work.machine : null,
    stage: null,
    nextSeq: {},
  }));
  owner.heartbeat(held);
  await owner.next('renewed');
  await farm.sql.run(
    `insert into terminal (id, machine, kind, by, columns, rows, connection, seen_at)
     select $1, 'm1', 'console', 'tester', 80, 24, connection, clock_timestamp() + interval '1 hour' from agent where name = 'lab'`,
    [TERMINAL],
  );
  await farm.sql.run(
    `insert into reservation (id, machine, holder, reason, seconds, state, fence) values ($1, 'm1', 'tester', 'r', 60, 'returning', 7)`,
    [RESERVATION],
  );
});
afterAll(async () => {
  owner.vanish();
  foreign.vanish();
  await farm.stop();
});
beforeEach(() => {
  foreign.received.length = 0;
});

/** A connection on which nothing was said yet; the agent's one before it is superseded by its hello. */
async function reconnect(): Promise<void> {
  const token = await farm.token('agent', 'foreign');
  foreign = await FakeAgent.connect(farm.server.url, token, { name: 'foreign', machines: ['other'] });
}

type Frame<T extends FromAgent['type']> = Extract<FromAgent, { type: T }>;
type Event = Frame<'events'>['events'][number]['event'];

/** Every kind of event, as a foreign agent would send it. */
const EVENTS: Record<Event['type'], Event> = {
  stage: { type: 'stage', stage: 'test', status: 'failed', detail: 'forged' },
  kernel: {
    type: 'kernel',
    sighting: {
      phase: 'candidate',
      release: 'forged',
      buildId: 'forged',
      bootId: 'forged',
      nonce: null,
      proven: true,
      detail: null,
      commandLine: null,
    },
  },
  plan: { type: 'plan', suite: 'p2p-functional', tests: ['forged'] },
  result: { type: 'result', result: sampleResult('p2p-functional', 'F01') },
  'call-places': {
    type: 'call-places',
    places: [{ call: 'foo+0x1/0x2', frames: [{ name: 'foo', file: 'mm/foo.c', line: 1 }] }],
  },
  measurement: {
    type: 'measurement',
    suite: 'p2p-perf',
    test: 'P01',
    metric: { name: 'm', unit: 'ns', better: 'lower', samples: [1], params: {} },
  },
  file: { type: 'file', file: { suite: 'p2p-perf', name: 'forged', sha256: 'a'.repeat(64), sizeBytes: 1 } },
  'build-progress': { type: 'build-progress', percent: 99, text: 'forged' },
  built: {
    type: 'built',
    manifest: sampleManifest('forged'),
    bundle: { sha256: 'a'.repeat(64), sizeBytes: 1 },
    cached: false,
  },
  'build-failed': { type: 'build-failed', error: { class: 'compile', detail: 'forged' } },
  finished: { type: 'finished', failure: null, restored: false, fenceSeen: 9_999_999, lineCounts: {} },
};

const report = () => ({
  machines: [
    ...foreign.machines(),
    { name: 'm1', description: 'forged', labels: {}, reachable: false, problem: 'forged' },
  ],
  participants: [test, build].map(({ participantId, fence }) => ({
    participantId,
    fence,
    machine: 'other',
    stage: 'test' as const,
    nextSeq: { serial: 7 },
  })),
  reservations: [{ reservationId: RESERVATION, fence: 7, state: 'restored' as const, detail: 'forged' }],
});

/** Every type of frame, about what is not the sender's; each comes with what the sender has to hear. */
const FRAMES: Record<FromAgent['type'], () => FromAgent[]> = {
  hello: () => [
    {
      type: 'hello',
      protocol: AGENT_PROTOCOL,
      agent: 'foreign',
      site: 'test-site',
      version: '0',
      capabilities: ['test'],
      buildSlots: 0,
      testSlots: null,
      ...report(),
    },
  ],
  heartbeat: () => [{ type: 'heartbeat', ...report() }],
  inventory: () => [{ type: 'inventory', machine: 'm1', inventory: sampleInventory('NOT_SUPPORTED') }],
  accepted: () => about((attempt) => ({ type: 'accepted', ...attempt })),
  declined: () => about((attempt) => ({ type: 'declined', ...attempt, reason: 'forged' })),
  log: () =>
    about((attempt) => ({ type: 'log', ...attempt, stream: 'serial', lines: [{ seq: 0, at: 1, text: 'forged' }] })),
  events: () =>
    Object.values(EVENTS).flatMap((event) =>
      about((attempt) => ({ type: 'events', ...attempt, events: [{ seq: 0, at: 1, event }] })),
    ),
  meeting: () =>
    about((attempt) => ({
      type: 'meeting',
      ...attempt,
      left: ['forged'],
      over: 'forged',
      at: { place: { suite: 'forged', test: 0, step: 0 }, value: 'forged', waitSeconds: 1 },
    })),
  'terminal-output': () => [{ type: 'terminal-output', terminalId: TERMINAL, number: 0, data: 'Zm9yZ2Vk' }],
  'terminal-closed': () => [{ type: 'terminal-closed', terminalId: TERMINAL, reason: 'forged' }],
};

function about(frame: (attempt: { participantId: string; fence: number }) => FromAgent): FromAgent[] {
  return [test, build].map(({ participantId, fence }) => frame({ participantId, fence }));
}

/** All that a frame could change, but what an agent's report says of the agent itself. */
async function everything(): Promise<unknown> {
  const tables: Record<string, string> = {
    attempt: '*',
    lease: 'fence, participant_id, agent, machine, slot, expires_at, released_at',
    stream: '*',
    log_line: '*',
    meeting: '*',
    attempt_stage: '*',
    attempt_kernel: '*',
    planned_test: '*',
    result: '*',
    measurement: '*',
    build: '*',
    bundle: '*',
    job: '*',
    run: '*',
    machine_path: '*',
    reservation: '*',
    terminal_output: 'number, data',
    terminal: `id, next, kept_bytes, why is not distinct from 'forged' as forged`,
    machine: 'name, agent, desired, held_participant, inventory, problem, reachable, forged_fence',
  };
  const found: Record<string, unknown> = {};
  for (const [table, columns] of Object.entries(tables)) {
    found[table] = await farm.sql.rows(`select ${columns} from ${table} order by 1, 2`);
  }
  return found;
}

it('the tables below name every frame and every event', () => {
  expect(Object.keys(FRAMES).toSorted()).toEqual(FromAgent.options.map(({ shape }) => shape.type.value).toSorted());
});

it.each(Object.keys(FRAMES) as FromAgent['type'][])('%s of a foreign agent changes nothing', async (type) => {
  const before = await everything();
  const frames = FRAMES[type]();
  if (type === 'hello') await reconnect();
  for (const frame of frames) foreign.send(frame);
  switch (type) {
    case 'hello':
      expect(await foreign.next('welcome')).toMatchObject({ participants: [] });
      break;
    case 'heartbeat':
      expect(await foreign.next('renewed')).toMatchObject({ participants: [] });
      break;
    case 'terminal-output':
      expect(await foreign.next('terminal-close')).toMatchObject({ terminalId: TERMINAL });
      break;
    case 'terminal-closed':
    case 'inventory':
      // It has no answer; the one to a heartbeat comes after it.
      foreign.heartbeat();
      await foreign.next('renewed');
      break;
    default:
      for (const frame of frames) {
        const id = 'participantId' in frame ? frame.participantId : '';
        const drop = await foreign.next('drop', (message) => message.participantId === id);
        expect(drop).toMatchObject({ code: 'unknown' });
      }
  }
  expect(await everything()).toEqual(before);
});
