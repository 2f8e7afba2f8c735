import { describe, expect, it } from 'vitest';
import type { MeetingOutcome } from '../schema/meeting.js';
import { type Attendance, refusedArrival, settleMeetings } from './meeting.js';

const place = (test: number, step: number, suite = 'pair') => ({ suite, test, step });
function at(
  role: string,
  where: ReturnType<typeof place> | null,
  more: Partial<Attendance['at'] & object> = {},
): Attendance {
  const here = { value: `of ${role}`, waitSeconds: 60, late: false, outcome: null, ...more };
  return { role, over: null, left: [], at: where === null ? null : { place: where, ...here } };
}
const reasons = (all: Attendance[]) =>
  Object.fromEntries(
    [...settleMeetings(all)].map(([role, outcome]) => [role, outcome.kind === 'met' ? 'met' : outcome.reason]),
  );

describe('participants meet', () => {
  it('when all of them are at one place, and each gets what the others said', () => {
    const met = settleMeetings([at('client', place(1, 2)), at('server', place(1, 2)), at('witness', place(1, 2))]);
    expect(met.get('client')).toEqual({
      kind: 'met',
      peers: [
        { role: 'server', value: 'of server' },
        { role: 'witness', value: 'of witness' },
      ],
    });
    expect([...met.keys()]).toEqual(['client', 'server', 'witness']);
  });

  it('and wait while one is behind, in another suite, or nowhere', () => {
    const waits = at('client', place(1, 2));
    const met: MeetingOutcome = { kind: 'met', peers: [] };
    const behind = at('server', place(1, 1), { outcome: met });
    for (const server of [behind, at('server', place(7, 7, 'other')), at('server', null)]) {
      expect(reasons([waits, server])).toEqual({});
    }
    expect(reasons([waits, at('server', place(1, 2)), { ...behind, role: 'witness' }])).toEqual({});
  });
});

describe('participants miss each other', () => {
  it.each<[string, Attendance, string]>([
    ['is beyond', at('server', place(2, 0)), 'participant server is beyond this place'],
    ['is some steps beyond', at('server', place(1, 3)), 'participant server is beyond this place'],
    ['has left the suite', { ...at('server', null), left: ['pair'] }, 'participant server is through with pair'],
    ['has ended', { ...at('server', null), over: 'has ended' }, 'participant server has ended'],
    [
      'gave up here',
      at('server', place(1, 2), { outcome: { kind: 'missed', why: 'late', reason: 'no patience' } }),
      'participant server gave up waiting here: no patience',
    ],
    [
      'has met somebody here before',
      at('server', place(1, 2), { outcome: { kind: 'met', peers: [] } }),
      'participant server has gone on from this place',
    ],
  ])('when one %s', (_, server, reason) => {
    expect(reasons([at('client', place(1, 2)), server])).toEqual({ client: reason });
  });

  it('when the time of the one that waits is over, naming who did not come', () => {
    const late = at('client', place(1, 2), { late: true });
    expect(reasons([late, at('server', null), at('witness', place(1, 2), { waitSeconds: 90 })])).toEqual({
      client: 'participant server did not come within 60 s',
      witness: 'participant client gave up waiting here: participant server did not come within 60 s',
    });
    // Time is not over for those who have met.
    expect(reasons([late, at('server', place(1, 2))])).toEqual({ client: 'met', server: 'met' });
  });

  it('in every mix of three: nobody has met whom another one missed, and of one place all are told the same', () => {
    const outcomes: (MeetingOutcome | null)[] = [null, { kind: 'missed', why: 'late', reason: 'x' }];
    const some = (role: string): Attendance[] =>
      [null, place(1, 0), place(1, 1), place(2, 0), place(1, 0, 'other')].flatMap((where) =>
        outcomes.flatMap((outcome) =>
          [false, true].flatMap((late) => [at(role, where, { outcome, late }), { ...at(role, where), left: ['pair'] }]),
        ),
      );
    let cases = 0;
    for (const a of some('a')) {
      for (const b of some('b')) {
        for (const c of some('c')) {
          const all = [a, b, c];
          const settled = settleMeetings(all);
          const met = all.filter(({ role }) => settled.get(role)?.kind === 'met');
          const after = all.map((one) => ({
            ...one,
            at: one.at === null ? null : { ...one.at, outcome: settled.get(one.role) ?? one.at.outcome },
          }));
          const isSound =
            (met.length === 0 ||
              (met.length === 3 && new Set(met.map((one) => JSON.stringify(one.at?.place))).size === 1)) &&
            all.every(({ role, at: here }) => !settled.has(role) || here?.outcome === null) &&
            // Settled once, nothing more follows.
            settleMeetings(after).size === 0;
          if (!isSound) expect({ all, settled: [...settled] }).toBe('sound');
          cases += 1;
        }
      }
    }
    expect(cases).toBe(40 ** 3);
  });
});

it('nobody goes back: a test that is begun again, or a suite that was left, meets nobody', () => {
  expect(refusedArrival(place(3, 0), place(3, 2), [])).toMatchObject({
    reason: expect.stringContaining('begun again'),
  });
  expect(refusedArrival(place(3, 0), place(2, 9), ['pair'])).toMatchObject({
    reason: 'this side is through with pair',
  });
  expect([
    refusedArrival(place(3, 3), place(3, 2), []),
    refusedArrival(place(0, 0, 'next'), place(3, 2), ['pair']),
    refusedArrival(place(0, 0), null, []),
  ]).toEqual([null, null, null]);
});
