import { Problem } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeAgent, type FakeAgentOptions } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';

const QUOTA = 4;

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start({ agentMachines: QUOTA });
});
afterAll(() => farm.stop());

const ownerOf = async (machine: string): Promise<string> =>
  (await farm.call('getMachine', { params: { machine } })).agent;
const problem = async (response: Response) => Problem.parse(await response.json());

/** Connects and introduces itself; the caller ends it. */
const join = (name: string, machines: string[], options: FakeAgentOptions = {}): Promise<FakeAgent> =>
  farm.agent({}, { name, machines, ...options });

/** Ends an agent and waits until the farm knows. */
async function leave(agent: FakeAgent, name: string): Promise<void> {
  agent.vanish();
  await farm.until(
    `${name} to be disconnected`,
    async () => (await farm.call('getFleet', {})).agents,
    (agents) => agents.some((a) => a.name === name && !a.connected),
  );
}

/** What the controller says to a hello that it refuses. */
async function refusal(name: string, options: FakeAgentOptions): Promise<string> {
  const token = await farm.token('agent', name, options.token ?? {});
  const agent = await FakeAgent.connect(farm.server.url, token, { name, ...options });
  await expect(agent.hello()).rejects.toThrow('4000');
  const refused = agent.received.find((message) => message.type === 'refused');
  if (refused?.type !== 'refused') throw new Error('it was not refused');
  return refused.message;
}

describe('a machine', () => {
  it('is not taken by an agent of another site, nor by one whose site nobody confirmed, while its agent is away', async () => {
    await leave(await join('a', ['m-a'], { site: 'north' }), 'a');
    const south = await join('south', ['m-a'], { site: 'south', token: { site: 'south' } });
    const claims = await join('claims', ['m-a'], { site: 'north' });
    south.heartbeat();
    claims.heartbeat();
    // The answers come after what was reported is stored.
    await Promise.all([south.next('renewed'), claims.next('renewed')]);
    expect(await ownerOf('m-a')).toBe('a');
    const heir = await join('heir', ['m-a'], { site: 'north', token: { site: 'north' } });
    expect(await ownerOf('m-a')).toBe('heir');
    for (const agent of [south, claims, heir]) agent.vanish();
  });

  it('is moved to another agent by a person, and not back by the agent that had it', async () => {
    const first = await join('first', ['m-b'], { site: 'north' });
    const second = await join('second', ['m-b'], { site: 'south' });
    const agentToken = await farm.token('agent', 'second');
    const move = { params: { machine: 'm-b' }, body: { agent: 'second' } };
    expect((await farm.request('moveMachine', move, agentToken)).status).toBe(403);
    expect(await farm.call('moveMachine', move)).toMatchObject({ agent: 'second', site: 'south' });
    first.heartbeat();
    second.heartbeat();
    await Promise.all([first.next('renewed'), second.next('renewed')]);
    expect(await ownerOf('m-b')).toBe('second');
    first.vanish();
    second.vanish();
  });

  it('is forgotten by a person when its agent does not name it, and is anybody’s then', async () => {
    const agent = await join('old', ['m-c'], { site: 'north' });
    const forget = { params: { machine: 'm-c' } };
    expect(await problem(await farm.request('forgetMachine', forget))).toMatchObject({
      status: 409,
      code: 'machine-in-use',
    });
    await leave(agent, 'old');
    expect(await farm.call('forgetMachine', forget)).toEqual({ removed: true });
    expect((await farm.request('getMachine', forget)).status).toBe(404);
    const next = await join('new', ['m-c'], { site: 'south' });
    expect(await ownerOf('m-c')).toBe('new');
    next.vanish();
  });

  it('keeps its history when it is forgotten, and keeps its agent while it is leased', async () => {
    const agent = await farm.agent({ 'm-d': 'BUS_ADDR' }, { name: 'busy', site: 'north' });
    const { manifest } = await farm.bundle('forget');
    const yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {names: [m-d]}\n`;
    await farm.call('submitRun', { body: { yaml } });
    const attempt = await agent.take('test');
    const forget = { params: { machine: 'm-d' } };
    const move = { params: { machine: 'm-d' }, body: { agent: 'busy' } };
    const moveAgent = { params: { agent: 'busy' }, body: { site: 'south' } };
    for (const refused of [
      await farm.request('forgetMachine', forget),
      await farm.request('moveMachine', move),
      await farm.request('moveAgent', moveAgent),
    ]) {
      expect(await problem(refused)).toMatchObject({ status: 409, code: 'machine-leased' });
    }
    await agent.events(attempt, 0, { type: 'finished', failure: null, restored: true, lineCounts: {} });
    await leave(agent, 'busy');
    expect(await farm.call('forgetMachine', forget)).toEqual({ removed: false });
    const next = await join('after', ['m-d'], { site: 'south' });
    expect(await ownerOf('m-d')).toBe('after');
    expect(await farm.call('listMachineAttempts', { params: { machine: 'm-d' } })).toHaveLength(1);
    next.vanish();
  });
});

describe('an agent', () => {
  it('speaks for the site that it named first, with any of its tokens, until a person moves it', async () => {
    (await join('bound', [], { site: 'north' })).vanish();
    expect(await refusal('bound', { site: 'south' })).toMatch(/belongs to the site "north".*agents move bound south/);
    expect(await refusal('bound', { site: 'south', token: { site: 'south' } })).toMatch(/belongs to the site "north"/);
    expect(await farm.call('moveAgent', { params: { agent: 'bound' }, body: { site: 'south' } })).toEqual({
      agent: 'bound',
      site: 'south',
      machines: 0,
    });
    (await join('bound', [], { site: 'south' })).vanish();
  });

  it('speaks for the site of its token alone, and its refused hello cuts nobody off', async () => {
    const right = await join('tied', [], { site: 'north', token: { site: 'north' } });
    expect(await refusal('tied', { site: 'south', token: { site: 'north' } })).toMatch(/is for the site "north"/);
    right.heartbeat();
    await right.next('renewed');
    right.vanish();
  });

  it('has as many machine names as the quota says, those it no longer names included', async () => {
    const names = (agent: string) =>
      farm.sql.rows<{ name: string }>('select name from machine where agent = $1 and not forgotten order by name', [
        agent,
      ]);
    const invented = Array.from({ length: QUOTA + 3 }, (_, index) => `q-${index}`);
    const first = await join('greedy', invented);
    expect((await names('greedy')).map(({ name }) => name)).toEqual(invented.slice(0, QUOTA));
    first.vanish();
    const again = await join('greedy', ['r-0', 'r-1']);
    expect(await names('greedy')).toHaveLength(QUOTA);
    await leave(again, 'greedy');
    await farm.call('forgetMachine', { params: { machine: 'q-0' } });
    const last = await join('greedy', ['r-0', 'r-1']);
    expect((await names('greedy')).map(({ name }) => name)).toEqual(['q-1', 'q-2', 'q-3', 'r-0']);
    last.vanish();
  });

  it('is given no work but that of its token, whatever it says it can do', async () => {
    const tests = await join('tests', [], { capabilities: ['test', 'build'], token: { only: 'test' } });
    const { agents } = await farm.call('getFleet', {});
    expect(agents.find(({ name }) => name === 'tests')?.capabilities).toEqual(['test']);
    tests.vanish();
  });

  it('has four connections at most: of more the oldest ends', async () => {
    const token = await farm.token('agent', 'many');
    const open = [];
    for (let index = 0; index < 5; index += 1) open.push(await FakeAgent.connect(farm.server.url, token));
    await open[0]?.closed();
    expect(open.slice(1).map(({ closeCode }) => closeCode)).toEqual([null, null, null, null]);
    for (const agent of open) agent.vanish();
  });
});

it('a machine that dispatch is leasing at this moment is not moved, and its agent neither', async () => {
  const agent = await farm.agent({ 'm-race': 'BUS_ADDR' }, { name: 'racer' });
  const { manifest } = await farm.bundle('race');
  const yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {names: [m-race]}\n`;
  await farm.call('submitRun', { body: { yaml } });
  const { fence } = await agent.take('test');
  const leased = (released: string) =>
    [`update lease set released_at = ${released} where fence = $1`, [fence]] satisfies [string, unknown[]];
  await farm.sql.run(...leased('clock_timestamp()'));
  const answers = await farm.sql.transaction(async (tx) => {
    // As dispatch does: the machine's row is locked, the lease of an attempt is written.
    await tx.run(
      'select 1 from attempt t where id = (select attempt_id from participant where fence = $1) for update',
      [fence],
    );
    await tx.run(`select 1 from machine where name = 'm-race' for no key update`);
    const asked = [
      farm.request('moveMachine', { params: { machine: 'm-race' }, body: { agent: 'racer' } }),
      farm.request('moveAgent', { params: { agent: 'racer' }, body: { site: 'elsewhere' } }),
    ];
    await farm.until('all requests to wait for the lock', async () => {
      const waiting = await farm.sql.one<{ n: number }>(
        `select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      // Something of the controller may wait as well, such as the heartbeat of the agent.
      return (waiting?.n ?? 0) >= asked.length;
    });
    await tx.run(...leased('null'));
    return asked;
  });
  for (const response of await Promise.all(answers)) {
    expect(response.status).toBe(409);
    expect((await problem(response)).code).toBe('machine-leased');
  }
  agent.vanish();
});
