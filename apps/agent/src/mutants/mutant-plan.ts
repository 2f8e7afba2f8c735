import type { Mutant, MutantResults } from '@peerlab/contracts';
import type { Step } from './printed-step.js';

/** A test that passed without a mutant: what it does without one. */
export interface MappedTest {
  suite: string;
  test: string;
  seconds: number;
  way: string | null;
  complaints: readonly string[];
}

const keyOf = ({ suite, test }: Pick<MappedTest, 'suite' | 'test'>): string => `${suite}:${test}`;

/** Which tests come to which mutant, and what became of each. Pure. */
export class MutantPlan {
  readonly #mutants: readonly Mutant[];
  readonly #testsOf = new Map<number, MappedTest[]>();
  /** Messages of the kernel that come without a mutant, too. */
  readonly #known = new Set<string>();
  /** By test: mutants that it killed. */
  readonly #kills = new Map<string, number>();
  readonly #results: MutantResults['results'] = [];
  #next = 0;

  /**
   * By id, which is as good as at random: what was tried when the time is up says something about all.
   * @param start any whole number that differs between attempts: machines begin at different mutants, so that together they
   *   try more of them
   */
  constructor(mutants: readonly Mutant[], start = 0) {
    const built = mutants.filter(({ state }) => state === 'built').toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const first = built.length === 0 ? 0 : start % built.length;
    this.#mutants = [...built.slice(first), ...built.slice(0, first)];
  }

  get count(): number {
    return this.#mutants.length;
  }

  /** Takes a test that ran without a mutant; one that does not pass notices none. */
  addTest(suite: string, test: string, seconds: number, step: Step): void {
    for (const complaint of step.complaints) this.#known.add(complaint);
    if (step.status !== 'pass') return;
    const mapped: MappedTest = { suite, test, seconds, way: step.way, complaints: step.complaints };
    for (const number of step.reached) {
      const tests = this.#testsOf.get(number) ?? [];
      this.#testsOf.set(number, tests);
      tests.push(mapped);
    }
  }

  /** The mutant to try next, with the tests that come to it: what killed most first, then what is quick. Null at the end. */
  next(): { mutant: Mutant; tests: MappedTest[] } | null {
    for (;;) {
      const mutant = this.#mutants[this.#next];
      if (mutant === undefined) return null;
      this.#next += 1;
      const tests = this.#testsOf.get(mutant.number) ?? [];
      if (tests.length > 0)
        return { mutant, tests: tests.toSorted((a, b) => this.#worth(b) - this.#worth(a) || a.seconds - b.seconds) };
      this.#results.push({ id: mutant.id, verdict: 'not-reached', test: null, how: null, tests: 0 });
    }
  }

  /** How a test noticed a mutant; null = it did not. */
  noticed(test: MappedTest, step: Step): string | null {
    if (step.status === 'fail') return step.reason ?? 'it failed';
    if (step.status === 'died') return 'its program ended without a result';
    if (step.status === 'pass' && step.way !== test.way)
      return `the data went ${step.way ?? 'nowhere'} instead of ${test.way ?? 'nowhere'}`;
    return step.complaints.find((complaint) => !this.#known.has(complaint)) ?? null;
  }

  killed({ id }: Mutant, test: MappedTest, how: string, tests: number): void {
    const key = keyOf(test);
    this.#kills.set(key, (this.#kills.get(key) ?? 0) + 1);
    this.#results.push({ id, verdict: 'killed', test: key.slice(0, 400), how: how.slice(0, 400), tests });
  }

  lived({ id }: Mutant, tests: number): void {
    this.#results.push({ id, verdict: 'alive', test: null, how: null, tests });
  }

  results(): MutantResults {
    return { schema: 1, isComplete: this.#results.length === this.#mutants.length, results: this.#results };
  }

  #worth(test: MappedTest): number {
    return (this.#kills.get(keyOf(test)) ?? 0) / (test.seconds + 1);
  }
}
