import type { FakeMachine, FakeTest } from '@peerlab/agent/fake';
import { expect } from 'vitest';
import { PAIR_SUITE, type AttemptView, type PairFarm } from './pair-farm.js';

type FakeChannel = Parameters<Parameters<FakeMachine['programs']['set']>[1]>[0];

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

export const testOf = (fake: FakeMachine, id: string): FakeTest => {
  const test = fake.suites[PAIR_SUITE]?.find((each) => each.id === id);
  if (test === undefined) throw new Error(`there is no test ${id}`);
  return test;
};

/** Each test meets the other side once and fails without it; resolves to what was answered, by role and test. */
export function meetInEachTest(pair: PairFarm): Map<string, string> {
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

export const ended = ({ state }: AttemptView): boolean => state === 'ended';
export const failuresOf = ({ participants }: AttemptView): Record<string, string | null> =>
  Object.fromEntries(participants.map(({ role, failure }) => [role, failure?.class ?? null]));
export const verdictOf = async (pair: PairFarm, run: string): Promise<string | null> =>
  (await pair.farm.call('getRun', { params: { run } })).verdict;

/** Nothing waits, no lease is open, both machines run their own kernels with nothing of ours, and are in use. */
export async function expectSettled(pair: PairFarm): Promise<void> {
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
export async function loseLease(pair: PairFarm, attempt: AttemptView, role: string): Promise<void> {
  const id = attempt.participants.find((each) => each.role === role)?.id;
  await pair.farm.sql.run(
    `update lease set expires_at = clock_timestamp() - interval '1 s' where participant_id = $1 and released_at is null`,
    [id],
  );
  await pair.farm.dispatch.reap();
}

/** Resolves when a machine is given the first command for this purpose. */
export function commandAt(fake: FakeMachine, purpose: string): Promise<void> {
  return new Promise((resolve) => {
    fake.onEvent = (event) => {
      if (event.type === 'command' && event.purpose === purpose) resolve();
    };
  });
}
