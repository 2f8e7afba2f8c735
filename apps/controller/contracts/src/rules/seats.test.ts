import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseSeats, type AgentSlots, type Seat } from './seats.js';

const UNLIMITED: AgentSlots = { free: Infinity, total: Infinity };
const seat = (machine: string, isFree = true, agent = 'lab', labels = {}): Seat => ({ machine, agent, labels, isFree });

/** Every choice that the words of `chooseSeats` allow, by trying all. */
function allChoices(
  roles: readonly (readonly Seat[])[],
  sameLabels: readonly string[],
  totals: ReadonlyMap<string, number>,
): Seat[][] {
  const sets = roles.reduce<Seat[][]>(
    (found, seats) => found.flatMap((set) => seats.map((each) => [...set, each])),
    [[]],
  );
  return sets.filter((set) => {
    const isDistinct = new Set(set.map(({ machine }) => machine)).size === set.length;
    const share = sameLabels.every((label) => {
      const values = new Set(set.map(({ labels }) => labels[label]));
      return values.size === 1 && !values.has(undefined);
    });
    const counts = new Map<string, number>();
    for (const { agent } of set) counts.set(agent, (counts.get(agent) ?? 0) + 1);
    return isDistinct && share && [...counts].every(([agent, count]) => count <= (totals.get(agent) ?? Infinity));
  });
}

const farm = fc.record({
  machines: fc.array(
    fc.record({ agent: fc.integer({ min: 0, max: 2 }), isFree: fc.boolean(), rack: fc.constantFrom('1', '2', null) }),
    { minLength: 1, maxLength: 6 },
  ),
  roles: fc.array(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 6 }), { minLength: 1, maxLength: 4 }),
  totals: fc.array(fc.constantFrom(1, 2, Infinity), { minLength: 3, maxLength: 3 }),
  related: fc.boolean(),
});

describe('a machine for each role', () => {
  it('is found whenever there is one, all different, related and within the slots of the agents', () => {
    fc.assert(
      fc.property(farm, ({ machines, roles, totals, related }) => {
        const seats = machines.map(({ agent, isFree, rack }, index) =>
          seat(`m${index}`, isFree, `a${agent}`, rack === null ? {} : { rack }),
        );
        const wanted = roles.map((indexes) => [...new Set(indexes)].flatMap((index) => seats[index] ?? []));
        const limits = new Map(totals.map((total, index) => [`a${index}`, total]));
        const sameLabels = related ? ['rack'] : [];
        const choices = allChoices(wanted, sameLabels, limits);
        const slotsOf = (agent: string): AgentSlots => ({
          free: limits.get(agent) ?? 0,
          total: limits.get(agent) ?? 0,
        });
        const found = chooseSeats(wanted, sameLabels, slotsOf);
        if (choices.length === 0) {
          expect(found).toBeNull();
          return;
        }
        const key = (set: readonly Seat[]): string => set.map(({ machine }) => machine).join();
        expect(choices.map(key)).toContain(key(found ?? []));
        const free = (set: readonly Seat[]): number => set.filter(({ isFree }) => isFree).length;
        const most = Math.max(...choices.map(free));
        if (most === roles.length || totals.every((total) => total === Infinity)) expect(free(found ?? [])).toBe(most);
      }),
      { numRuns: 3000 },
    );
  });

  it('is the one that stands first, where the others leave it', () => {
    const names = (roles: Seat[][]): string | undefined =>
      chooseSeats(roles, [], () => UNLIMITED)
        ?.map(({ machine }) => machine)
        .join();
    expect(
      names([
        [seat('b'), seat('a')],
        [seat('c'), seat('b')],
      ]),
    ).toBe('b,c');
    expect(names([[seat('b'), seat('a')], [seat('b')]])).toBe('a,b');
  });

  it('keeps a free one while others come free', () => {
    const roles = (...busy: string[]): Seat[][] => [
      ['a', 'b'].map((name) => seat(name, !busy.includes(name))),
      ['c', 'd'].map((name) => seat(name, !busy.includes(name))),
    ];
    const names = (seats: Seat[] | null): string | undefined => seats?.map(({ machine }) => machine).join();
    expect(names(chooseSeats(roles('a', 'c', 'd'), [], () => UNLIMITED))).toBe('b,c');
    expect(names(chooseSeats(roles('a', 'c'), [], () => UNLIMITED))).toBe('b,d');
  });
});
