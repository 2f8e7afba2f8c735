import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  carriesMutants,
  type Mutant,
  MUTANT_RESULTS_FILE,
  MUTANTS_FILE,
  MUTANTS_MAX_BYTES,
  MutantList,
  type WorkSuite,
} from '@peerlab/contracts';
import { messageOf } from '../error-message.js';
import { type MappedTest, MutantPlan } from '../mutants/index.js';
import type { AttemptContext } from './attempt-context.js';
import { storeFarmFile } from './attempt-file.js';
import { resetToDefault } from './candidate-boot.js';
import { JobFailure } from './failure.js';
import { runMutantStep, type StepEnd } from './mutant-step.js';
import { isOwn } from './own-suite.js';
import { rebootCandidate, recoverDefault } from './test-kernel.js';

/** Times that a machine is booted again for what mutants did to it. */
const REBOOTS_MAX = 200;
/** Tries before something without a mutant is given up: a test that takes the machine down, a connection that breaks. */
const TROUBLE_MAX = 3;

/**
 * Of a kernel that carries mutants: finds out which test comes to which mutant, then lets each meet those tests until one
 * notices it or the time is up. What was found is a file of the attempt. A mutant that is noticed is no failure of anything; neither is
 * one that takes the machine down, which is booted again.
 */
export async function tryMutants(context: AttemptContext): Promise<void> {
  const { manifest, mutants } = context.work;
  if (mutants === undefined) return;
  if (!carriesMutants(manifest)) {
    context.note('mutants: this kernel carries none: its builder is too old to make them');
    return;
  }
  const list = await readList(context);
  const campaign = new Campaign(context, list, mutants.minutes);
  try {
    await campaign.run();
  } catch (error) {
    context.signal.throwIfAborted();
    // What the kernel does when it is booted again after a mutant says nothing of the series.
    const isMutants = error instanceof JobFailure && error.failureClass !== 'infrastructure';
    context.note(`mutants: given up: ${messageOf(error)}`);
    if (!isMutants) throw error;
  } finally {
    if (!context.signal.aborted) await campaign.store();
  }
}

async function readList(context: AttemptContext): Promise<Mutant[]> {
  const { manifest, bundle } = context.work;
  const file = join(await context.bundles.fetch(bundle.sha256, manifest, context.signal), MUTANTS_FILE);
  const { size } = await stat(file);
  try {
    if (size > MUTANTS_MAX_BYTES) throw new Error(`it has ${size} bytes`);
    return MutantList.parse(JSON.parse(await readFile(file, 'utf8'))).mutants;
  } catch (error) {
    throw new JobFailure('request', `${MUTANTS_FILE} of the bundle cannot be read: ${messageOf(error)}`);
  }
}

/** How a test ended that says something of its mutant. */
type Step = Exclude<StepEnd, { kind: 'broken' }>;
/** The machine has to be booted again. */
type Fallen = Exclude<Step, { kind: 'ran' }>;

class Campaign {
  readonly #context: AttemptContext;
  readonly #plan: MutantPlan;
  readonly #endsAt: number;
  #reboots = 0;

  constructor(context: AttemptContext, mutants: readonly Mutant[], minutes: number) {
    this.#context = context;
    this.#plan = new MutantPlan(mutants, Number.parseInt(context.assignment.attemptId.slice(0, 8), 16));
    this.#endsAt = performance.now() + minutes * 60_000;
  }

  async run(): Promise<void> {
    const { suites } = this.#context.work;
    const inBundle = suites.filter((suite) => !isOwn(suite) && suite.kind === 'functional');
    const names = inBundle.map(({ name }) => name).join(', ');
    this.#context.note(`mutants: ${this.#plan.count} to try with ${names}; first which test comes to which`);
    for (const suite of inBundle) await this.#mapSuite(suite);
    const bySuite = new Map(inBundle.map((suite) => [suite.name, suite]));
    for (
      let next = this.#isOver ? null : this.#plan.next();
      next !== null;
      next = this.#isOver ? null : this.#plan.next()
    ) {
      await this.#try(next.mutant, next.tests, bySuite);
    }
    const { isComplete, results } = this.#plan.results();
    const killed = results.filter(({ verdict }) => verdict === 'killed').length;
    this.#context.note(
      `mutants: ${killed} of ${results.length} killed${isComplete ? '' : `; the time was up before all ${this.#plan.count} were tried`}`,
    );
  }

  /** Stores what is known by now. */
  async store(): Promise<void> {
    const results = this.#plan.results();
    await storeFarmFile(this.#context, MUTANT_RESULTS_FILE, Buffer.from(JSON.stringify(results)));
  }

  get #isOver(): boolean {
    return performance.now() >= this.#endsAt;
  }

  async #mapSuite(suite: WorkSuite): Promise<void> {
    let trouble = 0;
    for (const test of this.#context.plans.get(suite.name) ?? suite.tests) {
      if (this.#isOver || trouble >= TROUBLE_MAX) return;
      const startedAt = performance.now();
      const end = await this.#step(suite, test, 0);
      if (end.kind === 'ran') {
        this.#plan.addTest(suite.name, test, (performance.now() - startedAt) / 1000, end.step);
        continue;
      }
      trouble += 1;
      this.#context.note(`mutants: ${suite.name}:${test} is left out: without a mutant the machine ${saidOf(end)}`);
      await this.#recover(end);
    }
  }

  async #try(mutant: Mutant, tests: readonly MappedTest[], suites: ReadonlyMap<string, WorkSuite>): Promise<void> {
    let met = 0;
    for (const test of tests) {
      const suite = suites.get(test.suite);
      // A mutant that was not tried to the end counts for nothing.
      if (suite === undefined || this.#isOver) return;
      met += 1;
      const end = await this.#step(suite, test.test, mutant.number);
      const how = end.kind === 'ran' ? this.#plan.noticed(test, end.step) : saidOf(end);
      if (how === null) continue;
      this.#plan.killed(mutant, test, how, met);
      this.#context.note(
        `mutants: ${mutant.id} ${mutant.path}:${mutant.line} killed by ${test.suite}:${test.test}: ${how}`,
      );
      // Whatever a mutant leaves behind would be blamed on those that follow.
      if (end.kind !== 'ran') await this.#recover(end);
      else if (!(await this.#isWell(suite, test))) await this.#recover({ kind: 'hang', limitSeconds: 0 });
      return;
    }
    this.#plan.lived(mutant, met);
    this.#context.note(`mutants: ${mutant.id} ${mutant.path}:${mutant.line} lives: ${mutant.what}`);
  }

  /** Whether the test passes without a mutant again. */
  async #isWell(suite: WorkSuite, test: MappedTest): Promise<boolean> {
    const again = await this.#step(suite, test.test, 0);
    return again.kind === 'ran' && this.#plan.noticed(test, again.step) === null;
  }

  async #step(suite: WorkSuite, test: string, number: number): Promise<Step> {
    for (let tries = 1; ; tries += 1) {
      if (this.#context.connection.session === null) await rebootCandidate(this.#context);
      const end = await runMutantStep(this.#context, suite, test, number);
      if (end.kind !== 'broken') return end;
      this.#context.note(`mutants: the connection broke in ${suite.name}:${test}; once more`);
      if (tries === TROUBLE_MAX) throw new JobFailure('infrastructure', 'the connection breaks again and again');
    }
  }

  /** The same kernel again, from a fresh boot. */
  async #recover(end: Fallen): Promise<void> {
    const context = this.#context;
    this.#reboots += 1;
    if (this.#reboots > REBOOTS_MAX)
      throw new JobFailure('provisioning', `the machine was booted ${REBOOTS_MAX} times again`);
    const bootId = context.candidate?.bootId ?? '';
    if (end.kind === 'crash') await recoverDefault(context, bootId);
    else {
      context.kernelLog.detach();
      await resetToDefault(context);
    }
    context.kernelLog.detach();
    await rebootCandidate(context);
  }
}

const saidOf = (end: Fallen): string =>
  end.kind === 'crash' ? `crashed: ${end.signature}` : `did not answer within ${end.limitSeconds} s`;
