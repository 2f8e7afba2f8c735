import type { FakeMachine, FakeTest } from '@peerlab/agent/fake';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { PAIR_SUITE, PairFarm, type AttemptView } from './pair-farm.js';

type FakeChannel = Parameters<Parameters<FakeMachine['programs']['set']>[1]>[0];

/** One for each number of agents, for all tests: each leaves both machines as they were, or it failed. */
let [apart, together]: (PairFarm | undefined)[] = [];
let pair: PairFarm;
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  await pair.stop();
  if (pair === apart) apart = undefined;
  else together = undefined;
});
afterAll(async () => {
  await apart?.stop();
  await together?.stop();
});

async function start({ sharesAgent = false }: { sharesAgent?: boolean } = {}): Promise<void> {
  const known = sharesAgent ? together : apart;
  pair = known ?? (await PairFarm.start({ tests: ['T0', 'T1'], sharesAgent }));
  if (sharesAgent) together = pair;
  else apart = pair;
  pair.reset();
}

/** Asks on behalf of a test program, and resolves to the answer. */
function ask(channel: FakeChannel, question: string): Promise<string> {
  return new Promise((resolve) => {
    let isAnswered = false;
    channel.onLine((line) => {
      if (!isAnswered) resolve(line);
      isAnswered = true;
    });
    channel.write(`${question}\n`);
  });
}

const testOf = (fake: FakeMachine, id: string): FakeTest => {
  const test = fake.suites[PAIR_SUITE]?.find((each) => each.id === id);
  if (test === undefined) throw new Error(`there is no test ${id}`);
  return test;
};

/** Each test meets the other side once and fails without it; resolves to what was answered, by role and test. */
function meetInEachTest(): Map<string, string> {
  const answers = new Map<string, string>();
  for (const role of ['server', 'client'] as const) {
    const { fake } = pair.sideOf(role).lab;
    for (const [number, { id }] of (fake.suites[PAIR_SUITE] ?? []).entries()) {
      fake.programs.set(id, async (channel) => {
        const answer = await ask(channel, `@meet ${number} 0 ${role} says ${number}`);
        answers.set(`${role} ${id}`, answer);
        const test = testOf(fake, id);
        const hasMet = answer.startsWith('met ');
        if (test.act === 'pass' || test.act === 'fail') test.act = hasMet ? 'pass' : 'fail';
        if (!hasMet) channel.write(`# ${answer}\n`);
      });
    }
  }
  return answers;
}

const ended = ({ state }: AttemptView): boolean => state === 'ended';
const failuresOf = ({ participants }: AttemptView): Record<string, string | null> =>
  Object.fromEntries(participants.map(({ role, failure }) => [role, failure?.class ?? null]));
const verdictOf = async (run: string): Promise<string | null> =>
  (await pair.farm.call('getRun', { params: { run } })).verdict;

/** Nothing waits, no lease is open, both machines run their own kernels with nothing of ours, and are in use. */
async function expectSettled(): Promise<void> {
  await pair.farm.until(
    'both machines to be as they were',
    () =>
      [pair.server, pair.client].map(({ lab: { fake } }) => [
        fake.running,
        fake.customConfig,
        fake.nextEntry,
        [...fake.files.keys()].length,
      ]),
    (all) =>
      all.every(
        ([running, config, entry, files]) => running === 'default' && config === '' && entry === null && files === 0,
      ),
  );
  expect(await pair.farm.sql.rows('select machine from lease where released_at is null')).toEqual([]);
  expect(await pair.farm.sql.rows(`select id from participant where state <> 'ended'`)).toEqual([]);
  const { machines } = await pair.farm.call('getFleet', {});
  expect(machines.map(({ desired }) => desired)).toEqual(['active', 'active']);
}

/** Ends the lease of a role as its time does, and what follows from that. */
async function loseLease(attempt: AttemptView, role: string): Promise<void> {
  const id = attempt.participants.find((each) => each.role === role)?.id;
  await pair.farm.sql.run(
    `update lease set expires_at = clock_timestamp() - interval '1 s' where participant_id = $1 and released_at is null`,
    [id],
  );
  await pair.farm.dispatch.reap();
}

/** Resolves when a machine is given the first command for this purpose. */
function commandAt(fake: FakeMachine, purpose: string): Promise<void> {
  return new Promise((resolve) => {
    fake.onEvent = (event) => {
      if (event.type === 'command' && event.purpose === purpose) resolve();
    };
  });
}

describe.each([false, true])('a pair on two machines, one agent for both: %s', (sharesAgent) => {
  it('meets in every test, tells each other its values, and passes on both sides', async () => {
    await start({ sharesAgent });
    const answers = meetInEachTest();
    const run = await pair.submit();
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(attempt.failure).toBeNull();
    expect(Object.fromEntries(answers)).toEqual({
      'server T0': 'met client says 0',
      'client T0': 'met server says 0',
      'server T1': 'met client says 1',
      'client T1': 'met server says 1',
    });
    const suite = attempt.results.filter(({ suite: of }) => of === PAIR_SUITE);
    expect(suite.map(({ role, test, verdict }) => `${role} ${test} ${verdict}`).toSorted()).toEqual([
      'client T0 pass',
      'client T1 pass',
      'server T0 pass',
      'server T1 pass',
    ]);
    const { lines } = await pair.farm.call('getLog', {
      params: { attempt: attempt.id },
      query: { stream: 'agent', role: 'client' },
    });
    expect(lines.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^test: server is 7\.3\.4-\S+, peer0, 10\.77\.0\.1\/24$/),
    );
    expect(attempt.participants.map(({ clock }) => Math.abs(clock?.offsetMs ?? 1e9) < 60_000)).toEqual([true, true]);
    await expectSettled();
    expect(await verdictOf(run)).toBe('pass');
  });
});

describe('one side of a pair', () => {
  it('that does not boot is named; the other one stops and is restored', async () => {
    await start();
    meetInEachTest();
    pair.server.lab.fake.candidateBoots = ['panic'];
    const run = await pair.submit();
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(attempt.failure).toMatchObject({ class: 'kernel-crash', stage: 'boot', role: 'server' });
    expect(failuresOf(attempt)).toEqual({ server: 'kernel-crash', client: 'peer' });
    await expectSettled();
    expect(await verdictOf(run)).toBe('crash');
  });

  it('that crashes in a test is named with its signature; the other one is told at once, and what it failed is no finding', async () => {
    await start();
    const answers = meetInEachTest();
    testOf(pair.client.lab.fake, 'T0').act = 'oops';
    const run = await pair.submit();
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(attempt.failure).toMatchObject({
      class: 'kernel-crash',
      role: 'client',
      signature: expect.stringContaining('peerlab_broken'),
    });
    expect(answers.get('server T1')).toMatch(/^error participant client has failed: the kernel crashed/);
    const verdicts = Object.fromEntries(attempt.results.map(({ role, test, verdict }) => [`${role} ${test}`, verdict]));
    expect(verdicts).toMatchObject({ 'client T0': 'crash', 'server T0': 'pass', 'server T1': 'infra' });
    await expectSettled();
    expect(await verdictOf(run)).toBe('crash');
  });

  it('and the other one that crash together are both named', async () => {
    await start();
    meetInEachTest();
    for (const { lab } of [pair.server, pair.client]) testOf(lab.fake, 'T0').act = 'oops';
    const run = await pair.submit();
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(failuresOf(attempt)).toEqual({ server: 'kernel-crash', client: 'kernel-crash' });
    expect(attempt.failure).toMatchObject({
      role: 'server',
      message: expect.stringContaining('; participant client, too: '),
    });
    await expectSettled();
  });

  it('that never listens times out, and the other one says whom it waited for', async () => {
    await start();
    const answers = meetInEachTest();
    // It says nothing at all.
    pair.server.lab.fake.programs.delete('T0');
    testOf(pair.server.lab.fake, 'T0').act = 'hang';
    const run = await pair.submit();
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(answers.get('client T0')).toBe('error participant server did not come within 5 s');
    const statuses = Object.fromEntries(attempt.results.map(({ role, test, status }) => [`${role} ${test}`, status]));
    expect(statuses).toMatchObject({
      'server T0': 'timeout',
      'client T0': 'fail',
      'client T1': 'pass',
      'server T1': 'pass',
    });
    await expectSettled();
  });

  it('whose link went down is named, and the run is repeated', async () => {
    await start();
    meetInEachTest();
    let downs = 0;
    pair.client.lab.fake.answers.set('link-downs', (channel) => {
      channel.write(`${downs}\n`);
      channel.exit(0);
    });
    const { fake } = pair.client.lab;
    const program = fake.programs.get('T1');
    fake.programs.set('T1', async (channel) => {
      await program?.(channel);
      downs += 1;
      testOf(fake, 'T1').act = downs === 1 ? 'fail' : 'pass';
      // The second try of the job finds a link that stays.
      fake.answers.delete('link-downs');
      if (downs === 1) fake.answers.set('link-downs', (reply) => (reply.write('1\n'), reply.exit(0)));
    });
    const run = await pair.submit();
    const first = await pair.attemptOf(
      run,
      'the end of the first attempt',
      (attempt) => attempt.number === 1 && ended(attempt),
    );
    expect(first.failure).toMatchObject({
      class: 'infrastructure',
      role: 'client',
      message: expect.stringMatching(/^the link peer0 of fake-b went down once while pair ran/),
    });
    const verdicts = Object.fromEntries(first.results.map(({ role, test, verdict }) => [`${role} ${test}`, verdict]));
    expect(verdicts['client T1']).toBe('infra');
    await pair.farm.hurry();
    const second = await pair.attemptOf(run, 'the second attempt', (attempt) => attempt.number === 2 && ended(attempt));
    expect(second.failure).toBeNull();
    await expectSettled();
  });

  it('whose agent says of its machine what nobody can read is named', async () => {
    await start();
    meetInEachTest();
    pair.server.lab.fake.answers.set(
      'peer-facts',
      (channel) => (channel.write('a kernel; rm -rf /\n'), channel.exit(0)),
    );
    const run = await pair.submit();
    const attempt = await pair.attemptOf(run, 'the end', (each) => each.number === 1 && ended(each));
    expect(attempt.failure).toMatchObject({
      class: 'harness',
      role: 'server',
      message: expect.stringContaining('is no kernel'),
    });
    await pair.farm.call('cancelRun', { params: { run } });
    await expectSettled();
  });
});

/** Commands that a machine is given, by the stage that they belong to. */
const STAGES = [
  ['prepare', 'boot-policy'],
  ['flash', 'unpack-modules'],
  ['boot', 'reboot'],
  ['verify', 'hardware'],
  ['meeting', 'peer-facts'],
  ['test', 'suite'],
  ['restore', 'clean'],
] as const;

describe('the agent of one side dies', () => {
  it.each(STAGES)(
    'in %s: both machines are restored, the side is named, and the repeated job passes',
    async (_, purpose) => {
      await start();
      meetInEachTest();
      const died = commandAt(pair.server.lab.fake, purpose).then(() => pair.server.agent.die());
      const run = await pair.submit();
      await died;
      const attempt = await pair.attemptOf(run, 'the first attempt', () => true);
      await loseLease(attempt, 'server');
      const after = await pair.attemptOf(
        run,
        'the end of the first attempt',
        (each) => each.number === 1 && ended(each),
      );
      expect(after.failure).toMatchObject({ class: 'infrastructure', role: 'server' });
      expect(after.participants.find(({ role }) => role === 'client')?.state).toBe('ended');
      pair.server.agent.start();
      await pair.farm.until('the agent to be back', async () => {
        await pair.farm.hurry();
        return (await pair.farm.call('getRun', { params: { run } })).state === 'ended';
      });
      expect(await verdictOf(run)).toBe('pass');
      await expectSettled();
    },
  );
});

describe('the agent of one side is cut off', () => {
  it('and comes back after its lease was given up: it restores its machine, decides nothing, and the job passes again', async () => {
    await start();
    meetInEachTest();
    const reached = commandAt(pair.server.lab.fake, 'suite').then(() => pair.server.agent.cut());
    const run = await pair.submit();
    await reached;
    const attempt = await pair.attemptOf(run, 'the first attempt', () => true);
    await loseLease(attempt, 'server');
    const after = await pair.attemptOf(run, 'the end of the first attempt', (each) => each.number === 1 && ended(each));
    expect(after.failure).toMatchObject({ class: 'infrastructure', role: 'server' });
    pair.server.agent.connect();
    await pair.farm.until('the end of the run', async () => {
      await pair.farm.hurry();
      return (await pair.farm.call('getRun', { params: { run } })).state === 'ended';
    });
    expect(await verdictOf(run)).toBe('pass');
    await expectSettled();
  });

  it('for a moment only: the meeting goes on where it was', async () => {
    await start();
    const answers = meetInEachTest();
    const reached = commandAt(pair.server.lab.fake, 'suite').then(() => {
      pair.server.agent.cut();
      pair.server.agent.connect();
    });
    const run = await pair.submit();
    await reached;
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(attempt.failure).toBeNull();
    expect([attempt.number, answers.get('client T1')]).toEqual([1, 'met server says 1']);
    await expectSettled();
  });
});

describe('a pair that is canceled', () => {
  it.each(STAGES.slice(0, -1))('in %s ends on both sides, with both machines restored', async (_, purpose) => {
    await start();
    meetInEachTest();
    const reached = commandAt(pair.client.lab.fake, purpose);
    const run = await pair.submit();
    await reached;
    await pair.farm.call('cancelRun', { params: { run } });
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(Object.values(failuresOf(attempt)).filter((each) => each !== 'canceled' && each !== 'peer')).toEqual([]);
    expect(attempt.failure?.class).toBe('canceled');
    await expectSettled();
  });
});

it('a pair waits for the machine that another run has, and holds nothing meanwhile', async () => {
  await start();
  meetInEachTest();
  const { fake } = pair.client.lab;
  const program = fake.programs.get('T0');
  fake.programs.delete('T0');
  testOf(fake, 'T0').act = 'hang';
  const yaml = `name: alone\nbuilds: [{name: b, bundle: ${pair.bundleKey}}]\nsuites: [${PAIR_SUITE}]\nmachines: {names: [fake-b]}\n`;
  const inTest = commandAt(fake, 'suite');
  const { id: single } = await pair.farm.call('submitRun', { body: { yaml } });
  await inTest;
  const run = await pair.submit();
  await pair.farm.dispatch.dispatch();
  const { jobViews } = await pair.farm.call('getRun', { params: { run } });
  expect(jobViews).toMatchObject([{ state: 'queued', attempts: [] }]);
  expect(await pair.farm.sql.rows(`select machine from lease where released_at is null`)).toEqual([
    { machine: 'fake-b' },
  ]);
  if (program !== undefined) fake.programs.set('T0', program);
  testOf(fake, 'T0').act = 'pass';
  await pair.farm.call('cancelRun', { params: { run: single } });
  const attempt = await pair.attemptOf(run, 'the end', ended);
  expect(attempt.failure).toBeNull();
  await expectSettled();
});
