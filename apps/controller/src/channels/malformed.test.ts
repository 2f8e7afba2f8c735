import { AGENT_PROTOCOL, FRAME_MAX_BYTES, type Assignment, type ToAgent } from '@peerlab/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { COMBINATIONS_PER_DAY } from '../fleet/combination-register.js';
import { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleInventory } from '../testing/samples.js';
import { MALFORMED_PER_MINUTE } from './agent-connection.js';
import { outgoingMessage } from './agent-message.js';

let farm: TestFarm;
let agent: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());
beforeEach(async () => {
  agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' });
});
afterEach(() => agent.vanish());

const sendRaw = (value: unknown): void => agent.sendText(JSON.stringify(value));
const machine = (name: string) => farm.call('getMachine', { params: { machine: name } });

async function takeTest(on: string): Promise<Assignment> {
  const { manifest } = await farm.bundle(`on-${on}`);
  await farm.call('submitRun', {
    body: { yaml: `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {names: [${on}]}\n` },
  });
  return agent.take('test');
}

const heldAs = ({ participantId, fence }: Assignment, on: string) =>
  ({ participantId, fence, machine: on, stage: 'test', nextSeq: { serial: 1 } }) as const;

const STAGE = { type: 'stage', stage: 'test', status: 'started', detail: null } as const;
/** A test id of 1000 characters and 3000 bytes. */
const INCOMPRESSIBLE = Array.from({ length: 1000 }, (_, n) => String.fromCharCode(0x4e00 + ((n * 7919) % 20_000))).join(
  '',
);

/** That its lease is gone may be said before: both ways the attempt stops. The last one says to keep nothing. */
async function finalDrop(): Promise<Extract<ToAgent, { type: 'drop' }>> {
  const drop = await agent.next('drop');
  return drop.code === 'revoked' ? agent.next('drop') : drop;
}

/** Both leases are renewed by the next heartbeat, over the connection that is there. */
async function expectLeased(...held: ReturnType<typeof heldAs>[]): Promise<void> {
  agent.heartbeat(held);
  const { participants } = await agent.next('renewed');
  expect(participants.map(({ participantId }) => participantId).toSorted()).toEqual(
    held.map(({ participantId }) => participantId).toSorted(),
  );
  expect(agent.closeCode).toBeNull();
}

describe('one malformed frame', () => {
  it('an inventory: makes its machine a problem, also in later heartbeats, and costs no lease', async () => {
    const held = heldAs(await takeTest('m1'), 'm1');
    await expectLeased(held);
    const good = sampleInventory('BUS_ADDR');
    sendRaw({ type: 'inventory', machine: 'm2', inventory: { ...good, functions: 'many' } });
    await expectLeased(held);
    expect((await machine('m2')).observed).toBe('offline');
    expect((await machine('m2')).problem).toMatch(/its inventory was refused: it is malformed: inventory\.functions/);
    expect((await machine('m1')).observed).toBe('busy');
    agent.inventory('m2', good);
    await expectLeased(held);
    expect(await machine('m2')).toMatchObject({ observed: 'online', problem: null });
    await agent.events(held, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
  });

  it.each([
    ['log', { stream: 'serial', lines: [{ seq: 0, at: 1, text: 7 }] }],
    ['events', { events: [{ seq: 0, at: 1, event: { type: 'no such event' } }] }],
    ['declined', { reason: null }],
    // Later than any date of JavaScript: who reads the attempt would get an error.
    ['events', { events: [{ seq: 0, at: Number.MAX_SAFE_INTEGER, event: STAGE }] }],
    // Well formed, but larger than what an index of Postgres holds.
    ['events', { events: [{ seq: 0, at: 1, event: { type: 'plan', suite: 's', tests: [INCOMPRESSIBLE] } }] }],
  ])('%s: ends its attempt with the reason, and no other one', async (type, fields) => {
    const [broken, sound] = [await takeTest('m1'), await takeTest('m2')];
    await expectLeased(heldAs(broken, 'm1'), heldAs(sound, 'm2'));
    const { participantId, fence } = broken;
    sendRaw({ type, participantId, fence, ...fields });
    const drop = await finalDrop();
    expect(drop).toMatchObject({ participantId, code: 'unknown' });
    expect(drop.reason).toContain(`malformed "${type}" frame`);
    const row = await farm.sql.one(
      'select state, revoked_at is not null as revoked, failure from participant where id = $1',
      [participantId],
    );
    expect(row).toMatchObject({ state: 'ended', revoked: true, failure: { class: 'agent-bug', message: drop.reason } });
    await expectLeased(heldAs(sound, 'm2'));
    await farm.sql.run(`update job set state = 'ended' where state = 'queued'`);
    await agent.events(sound, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
  });

  it('a frame at which the controller itself fails each time: ends its attempt at the third, and no other one', async () => {
    const [broken, sound] = [await takeTest('m1'), await takeTest('m2')];
    await farm.sql.run(
      `create function fail() returns trigger language plpgsql as $$ begin raise exception 'a bug'; end $$`,
    );
    await farm.sql.run(
      `create trigger fail before insert on attempt_stage for each row when (new.participant_id = '${broken.participantId}')
       execute function fail()`,
    );
    const { participantId, fence } = broken;
    const held = [heldAs(broken, 'm1'), heldAs(sound, 'm2')];
    const token = await farm.token('agent', 'lab');
    for (let tries = 1; tries <= 3; tries += 1) {
      agent.send({ type: 'events', participantId, fence, events: [{ seq: 0, at: 1, event: STAGE }] });
      if (tries === 3) break;
      expect(await agent.closed()).toBe(1011);
      agent = await FakeAgent.connect(farm.server.url, token, { machines: ['m1', 'm2'] });
      await agent.hello(held);
    }
    expect((await finalDrop()).reason).toContain('failed at it 3 times');
    await expectLeased(heldAs(sound, 'm2'));
    await farm.sql.run(`update job set state = 'ended' where state = 'queued'`);
    await agent.events(sound, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
  });

  it('a heartbeat with one bad machine and one bad attempt: counts for all the others', async () => {
    const held = heldAs(await takeTest('m1'), 'm1');
    await expectLeased(held);
    const [first, second] = agent.machines();
    sendRaw({
      type: 'heartbeat',
      machines: [first, { ...second, labels: { rack: 'x'.repeat(5000) } }, { name: '../..' }, 7],
      participants: [{ ...held, nextSeq: { serial: -1 } }, { participantId: 'none' }, null],
    });
    expect((await agent.next('renewed')).participants).toEqual([
      { participantId: held.participantId, fence: held.fence },
    ]);
    expect((await machine('m2')).problem).toMatch(/invalid data about it \(labels\.rack/);
    await agent.events(held, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
  });

  it('a hello with one bad machine is welcome', async () => {
    agent.vanish();
    const token = await farm.token('agent', 'lab');
    agent = await FakeAgent.connect(farm.server.url, token);
    sendRaw({
      type: 'hello',
      protocol: AGENT_PROTOCOL,
      agent: 'lab',
      site: 'test-site',
      version: 'a\u0000b',
      capabilities: ['test', 'build'],
      buildSlots: Number.MAX_SAFE_INTEGER,
      testSlots: Number.MAX_SAFE_INTEGER,
      machines: [{ name: 'm1', description: '', labels: {}, reachable: true, problem: null }, { name: 'm2' }],
      participants: [],
    });
    await agent.next('welcome');
    // Dispatch lists the slots of all agents: this one may not make that endless.
    const slots = await farm.sql.one('select build_slots, test_slots from agent where name = $1', ['lab']);
    expect(slots).toEqual({ build_slots: 2000, test_slots: 2000 });
  });

  it('beyond a number of them the connection ends', async () => {
    for (let sent = 0; sent <= MALFORMED_PER_MINUTE; sent += 1) agent.sendText('{"type":"inventory"}');
    expect((await agent.next('refused')).message).toContain(`more than ${MALFORMED_PER_MINUTE} malformed frames`);
    expect(await agent.closed()).toBe(4000);
  });

  it.each(['[]', '{"type":"nothing"}', '{"type":["hello"]}', '{"type":"__proto__"}', '{"type":'])(
    'of no known type ends the connection: %s',
    async (text) => {
      agent.sendText(text);
      expect((await agent.next('refused')).code).toBe('malformed');
      expect(await agent.closed()).toBe(4000);
    },
  );
});

describe('what is sent to an agent', () => {
  it('work that does not fit into a frame ends its attempt as a request, and the connection stays', async () => {
    const { manifest } = await farm.bundle('heavy');
    const patch = { file: 'x'.repeat(900), subject: 'y'.repeat(900), sha256: 'a'.repeat(64) };
    await farm.sql.run(
      `update bundle set manifest = jsonb_set(manifest, '{series}',
         (select jsonb_agg($2::jsonb) from generate_series(1, $3))) where key = $1`,
      [manifest.key, JSON.stringify(patch), Math.ceil(FRAME_MAX_BYTES / 1800)],
    );
    const yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {names: [m1]}\n`;
    const { id } = await farm.call('submitRun', { body: { yaml } });
    await farm.until(
      'the run to end',
      async () => (await farm.call('getRun', { params: { run: id } })).state,
      (state) => state === 'ended',
    );
    const failure = await farm.sql.one(
      `select t.failure from attempt t join job j on j.id = t.job_id where j.run_id = $1`,
      [id],
    );
    expect(failure).toMatchObject({ failure: { class: 'request' } });
    expect(JSON.stringify(failure)).toMatch(/cannot be given to an agent/);
    await expectLeased();
  });

  it('texts are cut to what an agent reads', () => {
    const participantId = '00000000-0000-4000-8000-000000000000';
    const drop: ToAgent = { type: 'drop', participantId, code: 'revoked', reason: 'é'.repeat(1_000_000) };
    const outgoing = outgoingMessage(drop, 2);
    expect(outgoing).toMatchObject({ text: expect.any(String) });
    expect('text' in outgoing ? outgoing.text?.length : 0).toBeLessThan(21_000);
  });
});

describe('combinations of hardware', () => {
  it('are taken up to a number of new ones a day, and the machine says why no more', async () => {
    await farm.sql.run(
      `insert into combination (hash, label, identity, found_by)
       select 'made-up ' || n, 'l', (select identity from combination limit 1), 'lab' from generate_series(1, $1) as n`,
      [COMBINATIONS_PER_DAY],
    );
    const count = async () => (await farm.sql.one<{ n: number }>('select count(*) as n from combination'))?.n;
    const before = await count();
    const other = sampleInventory('BUS_ADDR');
    agent.inventory('m2', { ...other, system: { ...other.system, product: 'another one' } });
    await expectLeased();
    expect(await count()).toBe(before);
    expect((await machine('m2')).problem).toMatch(/new combinations of hardware within 24 hours, and at most 500/);
    // Known hardware is still taken.
    agent.inventory('m2', other);
    await expectLeased();
    expect((await machine('m2')).problem).toBeNull();
    await farm.sql.run(`update combination set found_at = found_at - interval '25 hours'`);
    agent.inventory('m2', { ...other, system: { ...other.system, product: 'another one' } });
    await expectLeased();
    expect(await count()).toBe((before ?? 0) + 1);
  });
});
