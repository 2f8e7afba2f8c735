import { cleanText } from '../../schema/text.js';
import { reportOf, testName } from '../perftest/read.js';
import { PerftestReader } from '../perftest/reader.js';
import {
  type DialectEnd,
  type DialectEvent,
  type DialectReader,
  EXIT_SKIP,
  type SuiteExit,
  withoutTests,
} from './dialect.js';

const REASON_KEPT = 500;
const CUT = 'its output has no end';

/**
 * perftest: each program (and label) that printed figures is a test, its figures are metrics. All of it is known at the
 * end: a program that was cut off, or an error of any of them, gives no pass to the suite.
 */
export class PerftestDialect implements DialectReader {
  readonly #reader = new PerftestReader();

  line(text: string): DialectEvent[] {
    this.#reader.push(text);
    return [];
  }

  end(exit: SuiteExit): DialectEnd {
    const { code, how } = exit;
    const { runs, metrics, problems, outcome } = reportOf(this.#reader);
    const error = problems.find(({ severity }) => severity === 'error');
    const why = error === undefined ? null : cleanText(`${error.text}: ${error.remedy}`, REASON_KEPT);
    const tests = new Map<string, boolean>();
    for (const [index, run] of runs.entries()) {
      const name = testName(run);
      // The one that ran last is the one that was cut off.
      const isWhole = run.isWhole && (code === 0 || index < runs.length - 1);
      tests.set(name, (tests.get(name) ?? true) && isWhole);
    }
    const events: DialectEvent[] = [...tests].map(([test, isWhole]) => ({
      type: 'result',
      test,
      status: isWhole ? 'pass' : 'fail',
      reason: isWhole ? null : (why ?? (code === 0 ? CUT : `it ${how}`)),
    }));
    for (const metric of metrics) events.push({ type: 'metric', metric });
    return { events, whole: wholeOf(exit, outcome, why) };
  }
}

function wholeOf(exit: SuiteExit, outcome: string, why: string | null): DialectEnd['whole'] {
  const { code, how } = exit;
  if (code === EXIT_SKIP && outcome === 'empty') return { status: 'skip', reason: `it ${how}` };
  if (why !== null) return { status: 'fail', reason: why };
  if (outcome === 'empty') return withoutTests(exit, 'it printed no figures');
  return code === 0 ? null : { status: 'fail', reason: `it ${how}` };
}
