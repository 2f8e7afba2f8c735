import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { PAIR_SUITE, PairFarm } from './pair-farm.js';
import {
  commandAt,
  ended,
  expectSettled,
  failuresOf,
  loseLease,
  meetInEachTest,
  testOf,
  verdictOf,
} from './pair-steps.js';

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

describe.each([false, true])('a pair on two machines, one agent for both: %s', (sharesAgent) => {
  it('meets in every test, tells each other its values, and passes on both sides', async () => {
    await start({ sharesAgent });
    const answers = meetInEachTest(pair);
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
    await expectSettled(pair);
    expect(await verdictOf(pair, run)).toBe('pass');
  });
});

describe('one side of a pair', () => {
  it('that does not boot is named; the other one stops and is restored', async () => {
    await start();
    meetInEachTest(pair);
    pair.server.lab.fake.candidateBoots = ['panic'];
    const run = await pair.submit();
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(attempt.failure).toMatchObject({ class: 'kernel-crash', stage: 'boot', role: 'server' });
    expect(failuresOf(attempt)).toEqual({ server: 'kernel-crash', client: 'peer' });
    await expectSettled(pair);
    expect(await verdictOf(pair, run)).toBe('crash');
  });

  it('that crashes in a test is named with its signature; the other one is told at once, and what it failed is no finding', async () => {
    await start();
    const answers = meetInEachTest(pair);
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
    await expectSettled(pair);
    expect(await verdictOf(pair, run)).toBe('crash');
  });

  it('and the other one that crash together are both named', async () => {
    await start();
    meetInEachTest(pair);
    for (const { lab } of [pair.server, pair.client]) testOf(lab.fake, 'T0').act = 'oops';
    const run = await pair.submit();
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(failuresOf(attempt)).toEqual({ server: 'kernel-crash', client: 'kernel-crash' });
    expect(attempt.failure).toMatchObject({
      role: 'server',
      message: expect.stringContaining('; participant client, too: '),
    });
    await expectSettled(pair);
  });

  it('that never listens times out, and the other one says whom it waited for', async () => {
    await start();
    const answers = meetInEachTest(pair);
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
    await expectSettled(pair);
  });

  it('whose link went down is named, and the run is repeated', async () => {
    await start();
    meetInEachTest(pair);
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
    await expectSettled(pair);
  });

  it('whose agent says of its machine what nobody can read is named', async () => {
    await start();
    meetInEachTest(pair);
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
    await expectSettled(pair);
  });
});

describe('the agent of one side is cut off', () => {
  it('and comes back after its lease was given up: it restores its machine, decides nothing, and the job passes again', async () => {
    await start();
    meetInEachTest(pair);
    const reached = commandAt(pair.server.lab.fake, 'suite').then(() => pair.server.agent.cut());
    const run = await pair.submit();
    await reached;
    const attempt = await pair.attemptOf(run, 'the first attempt', () => true);
    await loseLease(pair, attempt, 'server');
    const after = await pair.attemptOf(run, 'the end of the first attempt', (each) => each.number === 1 && ended(each));
    expect(after.failure).toMatchObject({ class: 'infrastructure', role: 'server' });
    pair.server.agent.connect();
    await pair.farm.until('the end of the run', async () => {
      await pair.farm.hurry();
      return (await pair.farm.call('getRun', { params: { run } })).state === 'ended';
    });
    expect(await verdictOf(pair, run)).toBe('pass');
    await expectSettled(pair);
  });

  it('for a moment only: the meeting goes on where it was', async () => {
    await start();
    const answers = meetInEachTest(pair);
    const reached = commandAt(pair.server.lab.fake, 'suite').then(() => {
      pair.server.agent.cut();
      pair.server.agent.connect();
    });
    const run = await pair.submit();
    await reached;
    const attempt = await pair.attemptOf(run, 'the end', ended);
    expect(attempt.failure).toBeNull();
    expect([attempt.number, answers.get('client T1')]).toEqual([1, 'met server says 1']);
    await expectSettled(pair);
  });
});

it('a pair waits for the machine that another run has, and holds nothing meanwhile', async () => {
  await start();
  meetInEachTest(pair);
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
  await expectSettled(pair);
});
