import { mayMoveReservation, type ReservationState } from '@peerlab/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DispatchService } from '../dispatch/dispatch.service.js';
import { ProblemError } from '../platform/http/problem.js';
import type { RunningServer } from '../server.js';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { ReservationService } from './reservation.service.js';
import { RestoreService } from './restore.service.js';

/** What two people, two controllers and an agent do with one machine, some of it at the same moment. */
type Step =
  | { kind: 'reserve' | 'give-back'; by: 'ann' | 'bob' }
  | { kind: 'dispatch' | 'pass' | 'end-attempt' | 'let-time-pass' }
  | { kind: 'report'; restored: boolean; twice: boolean };

const by = fc.constantFrom('ann' as const, 'bob' as const);
const STEP: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('reserve' as const, 'give-back' as const), by }),
  fc.record({
    kind: fc.constantFrom(
      'dispatch' as const,
      'dispatch' as const,
      'pass' as const,
      'end-attempt' as const,
      'let-time-pass' as const,
    ),
  }),
  fc.record({ kind: fc.constant('report' as const), restored: fc.boolean(), twice: fc.boolean() }),
);
/** A round is what happens at the same moment; each step on one of two controllers. */
const ROUNDS = fc.array(fc.array(fc.tuple(STEP, fc.integer({ min: 0, max: 1 })), { minLength: 1, maxLength: 4 }), {
  minLength: 4,
  maxLength: 14,
});

let farm: TestFarm;
let second: RunningServer;
let agent: FakeAgent;
let yaml: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  second = await farm.replica();
  const { manifest } = await farm.bundle('contended');
  yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\nsuites: [p2p-functional]\nmachines: {names: [m1]}\n`;
  agent = await farm.agent({ m1: 'BUS_ADDR' });
});
afterAll(async () => {
  agent.vanish();
  await second.close();
  await farm.stop();
});

interface Stored {
  id: string;
  state: ReservationState;
  fence: number | null;
}
const of = (at: number) => (at === 0 ? farm.server : second).app;
const open = () => farm.sql.one<Stored>(`select id, state, fence from reservation where ended_at is null`);
/** What must hold whenever no step is under way. */
async function look(before: Map<string, ReservationState>): Promise<void> {
  agent.heartbeat();
  const rows = await farm.sql.rows<Stored>('select id, state, fence from reservation order by requested_at');
  for (const { id, state } of rows) {
    const last = before.get(id) ?? 'waiting';
    // Between two looks it may have made several steps.
    expect(mayReach(last, state), `${last} → ${state}`).toBe(true);
    before.set(id, state);
  }
  const opened = rows.filter(({ state }) => state !== 'ended');
  expect(opened.length).toBeLessThanOrEqual(1);
  const machine = await farm.sql.one<{ reserved: string | null; leases: number }>(
    `select reserved, (select count(*)::int from lease where machine = 'm1' and released_at is null) as leases
     from machine where name = 'm1'`,
  );
  expect(machine?.reserved ?? null).toBe(opened[0]?.id ?? null);
  if (opened[0]?.state === 'held' || opened[0]?.state === 'returning') expect(machine?.leases).toBe(0);
  // Whoever has the machine later has a higher fence: an attempt from before cannot act on it.
  const order = await farm.sql.rows<{ fence: number }>(
    `select fence from (select fence, acquired_at as at from lease where machine = 'm1'
       union all select fence, begun_at from reservation where machine = 'm1' and begun_at is not null) given order by at`,
  );
  const fences = order.map(({ fence }) => fence);
  expect(fences).toEqual(fences.toSorted((a, b) => a - b));
}
const STATES: readonly ReservationState[] = ['waiting', 'held', 'returning', 'ended'];
const mayReach = (from: ReservationState, to: ReservationState): boolean =>
  mayMoveReservation(from, to) ||
  STATES.some((next) => next !== from && mayMoveReservation(from, next) && mayReach(next, to));

/** Other answers than these are faults. */
const REFUSALS: ReadonlySet<number> = new Set([409, 422]);
async function act(step: Step, at: number): Promise<void> {
  const app = of(at);
  const service = app.get(ReservationService);
  try {
    switch (step.kind) {
      case 'reserve':
        await service.reserve('m1', step.by, { seconds: 3600, reason: 'a race' });
        return;
      case 'give-back': {
        const now = await open();
        if (now !== null) await service.giveBack(now.id, step.by, undefined);
        return;
      }
      case 'dispatch':
        await farm.sql.run('update job set not_before = null where not_before is not null');
        if (!(await farm.sql.exists(`select 1 from job where state <> 'ended'`)))
          await farm.call('submitRun', { body: { yaml } });
        await app.get(DispatchService).dispatch();
        return;
      case 'pass':
        await service.pass();
        return;
      case 'let-time-pass':
        await farm.sql.run(`update reservation set until = clock_timestamp() where state = 'held'`);
        return;
      case 'end-attempt':
        // As a lease that ran out, without its agent.
        await farm.sql.run(
          `update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`,
        );
        await app.get(DispatchService).reap();
        return;
      case 'report': {
        const now = await open();
        if (now?.fence == null) return;
        const report = {
          reservationId: now.id,
          fence: now.fence,
          state: step.restored ? ('restored' as const) : ('not-restored' as const),
          detail: null,
        };
        await app.get(RestoreService).reconcile('lab', step.twice ? [report, report] : [report]);
        return;
      }
    }
  } catch (error) {
    if (!(error instanceof ProblemError && REFUSALS.has(error.status))) throw error;
  }
}

it('never has a job and a person at once, whatever two controllers and an agent do at the same moment', async () => {
  await fc.assert(
    fc.asyncProperty(ROUNDS, async (rounds) => {
      await farm.sql.run(`update machine set desired = 'active'`);
      const before = new Map<string, ReservationState>();
      for (const round of rounds) {
        await Promise.all(round.map(([step, at]) => act(step, at)));
        await look(before);
      }
      // It always comes back: given back, restored, free.
      for (const step of [
        { kind: 'end-attempt' },
        { kind: 'pass' },
        { kind: 'let-time-pass' },
        { kind: 'pass' },
        { kind: 'report', restored: true, twice: true },
      ] as const) {
        await act(step, 0);
        await look(before);
      }
      expect(await open()).toBeNull();
      await farm.sql.run(`update job set state = 'ended', verdict = 'infra' where state <> 'ended'`);
    }),
    { numRuns: Number(process.env['RACES'] ?? 12) },
  );
}, 240_000);
