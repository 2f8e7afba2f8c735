import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FailureClass } from '../schema/failure.js';
import { AttemptState } from '../schema/states.js';
import { attemptStateOf, sumUpFailure } from './participants.js';

const failure = (each: FailureClass, message = 'why') => ({ class: each, message });

describe('the failure of an attempt', () => {
  it.each([
    ['kernel-crash', 'infrastructure'],
    ['kernel-crash', 'timeout'],
    ['infrastructure', 'timeout'],
    ['infrastructure', 'harness'],
    ['canceled', 'infrastructure'],
    ['harness', 'peer'],
  ] as const)('is %s where one side has that and the other one %s', (worse, other) => {
    const sides = [
      { role: 'server', failure: failure(other) },
      { role: 'client', failure: failure(worse) },
    ];
    expect(sumUpFailure(sides)).toEqual({ class: worse, message: 'why', role: 'client' });
    expect(sumUpFailure(sides.toReversed())).toEqual({ class: worse, message: 'why', role: 'client' });
  });

  it('names no role where there is one participant, and is none where none failed', () => {
    expect(sumUpFailure([{ role: 'main', failure: failure('timeout') }])).toEqual(failure('timeout'));
    expect(sumUpFailure([{ role: 'main', failure: null }])).toBeNull();
  });

  it('names both sides where both failed in the same way', () => {
    const sides = [
      { role: 'client', failure: failure('kernel-crash', 'KASAN: x') },
      { role: 'server', failure: failure('kernel-crash', 'BUG: y') },
      { role: 'witness', failure: failure('peer', 'stopped') },
    ];
    expect(sumUpFailure(sides)).toEqual({
      class: 'kernel-crash',
      role: 'client',
      message: 'KASAN: x; participant server, too: BUG: y',
    });
  });

  it('is one of those that there are, and a consequence only where nothing else failed', () => {
    const sides = fc.array(fc.option(fc.constantFrom(...FailureClass.options)), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(sides, (classes) => {
        const all = classes.map((each, at) => ({ role: `r${at}`, failure: each === null ? null : failure(each) }));
        const summed = sumUpFailure(all);
        const failed = all.filter((side) => side.failure !== null);
        if (summed === null) return failed.length === 0;
        const own = all.find(({ role }) => role === summed.role);
        return (
          own?.failure?.class === summed.class &&
          (summed.class !== 'peer' || failed.every((side) => side.failure?.class === 'peer'))
        );
      }),
    );
  });
});

describe('the state of an attempt', () => {
  it('is running from the first accepted participant on, and ended with the last one', () => {
    const states = fc.array(fc.constantFrom(...AttemptState.options), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(states, (all) => {
        const expected = all.some((state) => state === 'running') || new Set(all).size > 1 ? 'running' : all[0];
        return attemptStateOf(all) === expected;
      }),
    );
  });
});
