import { addError, comparePlan, type Level } from './level.js';
import { addTotals, keepMessage, type KtapNode, type KtapSummary, noTotals, overallStatus, totalOf } from './tree.js';

/** What all documents of one text have said together. */
export class KtapDocuments {
  readonly #totals = noTotals();
  #count = 0;
  #realFailures = 0;
  #plan: number | null = 0;
  #missing = 0;
  readonly #errors: string[] = [];
  readonly #warnings: string[] = [];

  get count(): number {
    return this.#count;
  }

  /**
   * A document at its end.
   * @param bailOut the text behind `Bail out!`; null without one
   */
  add(root: Level, bailOut: string | null): void {
    this.#count += 1;
    this.#missing += comparePlan(root);
    if (root.count > 0 && totalOf(root.totals) === 0) {
      // Tests whose own tests did not run are in no total; the kernel's parser counts the document itself then.
      root.totals.crashed += 1;
    } else if (root.count === 0 && root.totals.crashed === 0) {
      if (root.skipAll === null) addError(root, 'no tests ran');
      else root.totals.skip += 1;
    }
    if (bailOut !== null) takeBailOut(root, bailOut);
    this.#plan = root.plan === null || this.#plan === null ? null : this.#plan + root.plan;
    addTotals(this.#totals, root.totals);
    this.#realFailures += root.realFailures;
    for (const error of root.errors) keepMessage(this.#errors, error);
    for (const warning of root.warnings) keepMessage(this.#warnings, warning);
  }

  /** @param nodes tests of the first level; `inner`: see KtapSummary */
  summary(nodes: KtapNode[], inner: KtapNode[]): KtapSummary {
    if (this.#count === 0) {
      this.#totals.errors += 1;
      this.#errors.push('no version, plan or result of KTAP or TAP was found');
    }
    return {
      status: overallStatus(this.#totals, this.#realFailures),
      totals: this.#totals,
      realFailures: this.#realFailures,
      nodes,
      plan: this.#count === 0 ? null : this.#plan,
      missing: this.#missing,
      inner,
      errors: this.#errors,
      warnings: this.#warnings,
    };
  }
}

/** The kernel's parser does not know it. It is an error where nothing else says that the suite gave up. */
function takeBailOut(root: Level, reason: string): void {
  const text = `it bailed out${reason === '' ? '' : `: ${reason}`}`;
  if (root.totals.errors + root.totals.crashed + root.totals.fail === 0) addError(root, text);
  else keepMessage(root.warnings, text);
}
