import type { Mutant } from '@peerlab/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MutantPlan } from './mutant-plan.js';
import { plainComplaint, readStep, type Step } from './printed-step.js';

const step = (more: Partial<Step> = {}): Step => ({
  status: 'pass',
  way: null,
  reached: [],
  reason: null,
  complaints: [],
  ...more,
});
const mutant = (number: number, id: string, state: Mutant['state'] = 'built'): Mutant => ({
  number,
  id: id.padEnd(8, '0'),
  path: 'mm/hmm.c',
  line: number,
  kind: 'negate',
  function: 'walk',
  what: 'if (x) negated',
  state,
});

describe('what a machine printed of a test', () => {
  const PRINTED = `@reached 1,7,300,
@kernel
[   12.345678] WARNING: mm/hmm.c:1119 at hmm_dma_unmap_pfn+0x12/0x99, CPU#1: p2p/77
@output
TAP version 14
1..1
# proof: {"test":"F60","expected":"peer","taken":"BUS_ADDR","detail":{}}
# FAILED tests_dma.c:50: data differs
not ok 1 F60
`;

  it('is its result, its way, the mutants that it came to, and what the kernel said', () => {
    expect(readStep(PRINTED)).toEqual({
      status: 'fail',
      way: 'peer-BUS_ADDR',
      reached: [1, 7, 300],
      reason: 'FAILED tests_dma.c:50: data differs',
      complaints: ['WARNING: mm/hmm.c at hmm_dma_unmap_pfn, : p2p/77'],
    });
    expect(readStep('@reached \n@kernel\n@output\nok 1 F60 # SKIP no device\n')?.status).toBe('skip');
    const others = 'ok 1 F01 # SKIP not run: excluded by caller\nok 2 F60\n';
    expect(readStep(`@reached \n@kernel\n@output\n${others}`)?.status).toBe('pass');
    expect(readStep('@reached \n@kernel\n@output\nTAP version 14\n1..1\n')?.status).toBe('died');
  });

  it('says nothing when it was cut', () => {
    expect(readStep(PRINTED.slice(0, PRINTED.indexOf('@output')))).toBeNull();
    expect(readStep('')).toBeNull();
  });

  it('is read to its end whatever it is, in a bounded size', () => {
    const line = fc.oneof(
      fc.constantFrom(
        '@kernel',
        '@output',
        '@reached 1,2,x,999999,',
        'not ok 1',
        '# proof: {"expected":1}',
        '# proof: [',
      ),
      fc.string({ maxLength: 60 }),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 200 }), (lines) => {
        const read = readStep(lines.join('\n'));
        if (read === null) return;
        expect(read.complaints.length).toBeLessThanOrEqual(20);
        expect(read.reached.every(Number.isSafeInteger)).toBe(true);
      }),
    );
  });

  it('has messages of the kernel without what differs every time', () => {
    const said = '[    1.5] BUG: unable to handle page fault for address: ffff888012345678 pid 12 +0x1c/0x40';
    expect(plainComplaint(said)).toBe('BUG: unable to handle page fault for address: N');
  });
});

describe('the plan of a campaign', () => {
  it('tries what was built, with the tests that pass and come to it', () => {
    const plan = new MutantPlan([mutant(1, 'b'), mutant(2, 'a'), mutant(3, 'c', 'refused')]);
    plan.addTest('s', 'slow', 9, step({ reached: [1, 3] }));
    plan.addTest('s', 'quick', 1, step({ reached: [1] }));
    plan.addTest('s', 'fails', 1, step({ reached: [1, 2], status: 'fail' }));
    const next = plan.next();
    expect([next?.mutant.number, next?.tests.map(({ test }) => test)]).toEqual([1, ['quick', 'slow']]);
    expect(plan.next()).toBeNull();
    expect(plan.results()).toMatchObject({
      isComplete: false,
      results: [{ id: 'a0000000', verdict: 'not-reached', tests: 0 }],
    });
    if (next !== null) plan.lived(next.mutant, 2);
    expect(plan.results().isComplete).toBe(true);
  });

  it('begins elsewhere for another attempt, and comes to all', () => {
    const all = [mutant(1, 'a'), mutant(2, 'b'), mutant(3, 'c')];
    const order = (start: number): (number | undefined)[] => {
      const plan = new MutantPlan(all, start);
      plan.addTest('s', 't', 1, step({ reached: [1, 2, 3] }));
      return all.map(() => plan.next()?.mutant.number);
    };
    expect([order(0), order(4), order(5)]).toEqual([
      [1, 2, 3],
      [2, 3, 1],
      [3, 1, 2],
    ]);
    expect(new MutantPlan([], 7).next()).toBeNull();
  });

  it('asks first what killed most', () => {
    const plan = new MutantPlan([mutant(1, 'a'), mutant(2, 'b')]);
    plan.addTest('s', 'quick', 1, step({ reached: [1, 2] }));
    plan.addTest('s', 'killer', 2, step({ reached: [1, 2] }));
    const first = plan.next();
    const killer = first?.tests.find(({ test }) => test === 'killer');
    if (first == null || killer === undefined) throw new Error('no test');
    plan.killed(first.mutant, killer, 'it failed', 2);
    expect(plan.next()?.tests[0]?.test).toBe('killer');
  });

  it('takes a failure, another way and a new message for a kill, and nothing that is so without a mutant', () => {
    const plan = new MutantPlan([mutant(1, 'a')]);
    plan.addTest('s', 't', 1, step({ reached: [1], way: 'peer-BUS_ADDR', complaints: ['known'] }));
    const test = plan.next()?.tests[0];
    if (test === undefined) throw new Error('no test');
    const noticed = (more: Partial<Step>): string | null => plan.noticed(test, step({ way: 'peer-BUS_ADDR', ...more }));
    expect(noticed({ complaints: ['known'] })).toBeNull();
    expect(noticed({ status: 'fail', reason: 'data differs' })).toBe('data differs');
    expect(noticed({ status: 'died' })).toMatch(/ended without a result/);
    expect(noticed({ way: 'peer-ram' })).toBe('the data went peer-ram instead of peer-BUS_ADDR');
    expect(noticed({ complaints: ['known', 'WARNING: new'] })).toBe('WARNING: new');
    expect(noticed({ status: 'skip' })).toBeNull();
  });
});
