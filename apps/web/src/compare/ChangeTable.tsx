import { Link } from '@tanstack/react-router';
import { CHANGE_CLASSES, type ComparedRow, type Comparison, type Outcome } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { evidenceSearch } from '../runs/evidence.js';
import { countText } from '../ui/numbers.js';
import { useFirst } from '../ui/first.js';
import { ListTable } from '../ui/ListTable.js';
import { Empty } from '../ui/section.js';
import { VerdictMark } from '../ui/verdict.js';
import { ChangeTotals } from './ChangeCounts.js';
import { ChangeMark } from './ChangeMark.js';
import { CombinationName } from './CombinationName.js';

/** Rows shown before the rest is asked for. */
const FIRST_ROWS = 300;

/** The tests that differ (or all), with both verdicts; each verdict links to its evidence. */
export function ChangeTable({
  comparison,
  combinations,
  rows,
  isAll,
  isHardware = false,
}: {
  comparison: Pick<Comparison, 'rows' | 'rowsTotal'>;
  combinations: Comparison['combinations'];
  rows: readonly ComparedRow[];
  isAll: boolean;
  /** The sides are two combinations of one kernel. */
  isHardware?: boolean;
}): ReactNode {
  const { rowsTotal } = comparison;
  const { shown, rest } = useFirst(rows.toSorted(byClass), FIRST_ROWS, 'rows');
  const isCut = rowsTotal > comparison.rows.length;
  return (
    <section aria-labelledby="tests-head">
      <h2 id="tests-head">Tests</h2>
      <p className="totals">
        <ChangeTotals combinations={combinations} isHardware={isHardware} />
      </p>
      {isCut && (
        <p className="notice notice-warn">
          {countText(comparison.rows.length)} of {countText(rowsTotal)} rows are here, regressions first; the counts are
          of all.{!isHardware && ' Choose a combination above to see the rows of that one.'}
        </p>
      )}
      <ListTable
        rows={shown}
        keyOf={({ suite, test, combination }) => `${suite}/${test}@${combination}`}
        empty={<NoRows isFiltered={comparison.rows.length > 0} isAll={isAll} />}
        columns={[
          { name: 'Change', render: (row) => <ChangeMark change={row.class} isHardware={isHardware} /> },
          {
            name: 'Test',
            render: ({ suite, test, combination }) => (
              <span className="test-path">
                <span className="muted">{suite}/</span>
                <Link
                  to="/history"
                  search={{ suite, test, combination: combinations[combination]?.combination.hash }}
                  title="history of this test on this combination"
                >
                  {test}
                </Link>
              </span>
            ),
          },
          ...(isHardware
            ? []
            : [
                {
                  name: 'Combination',
                  render: (row: ComparedRow) => <CombinationName {...place(combinations[row.combination])} />,
                },
              ]),
          { name: 'A', render: ({ a }) => <OutcomeLink outcome={a} /> },
          { name: 'B', render: ({ b }) => <OutcomeLink outcome={b} /> },
          { name: 'Reason', render: (row) => <Reason row={row} /> },
        ]}
      />
      {rest}
    </section>
  );
}

function place(found: Comparison['combinations'][number] | undefined): Parameters<typeof CombinationName>[0] {
  return { combination: found?.combination, machine: found?.machine };
}

/** Regressions first; within a class the order of the suites is kept. */
function byClass(x: ComparedRow, y: ComparedRow): number {
  return CHANGE_CLASSES.indexOf(x.class) - CHANGE_CLASSES.indexOf(y.class);
}

export function OutcomeLink({ outcome }: { outcome: Outcome | null }): ReactNode {
  if (outcome === null) return <span className="muted">no result</span>;
  const { attemptId, log, verdict, n } = outcome;
  return (
    <span className="row tight">
      <Link
        to="/attempts/$attempt"
        params={{ attempt: attemptId }}
        search={evidenceSearch(log)}
        className="verdict-link"
        title={log === null ? 'open the attempt' : 'open the log lines'}
      >
        <VerdictMark verdict={verdict} long />
      </Link>
      {n > 1 && <span className="muted">worst of {n}</span>}
    </span>
  );
}

/** The reason of B, which explains a regression; that of A where B has none. */
function Reason({ row: { a, b } }: { row: ComparedRow }): ReactNode {
  if (b?.reason != null) return <div className="reason">{b.reason}</div>;
  if (a?.reason != null) {
    return (
      <div className="reason">
        <span className="muted">A: </span>
        {a.reason}
      </div>
    );
  }
  return null;
}

function NoRows({ isFiltered, isAll }: { isFiltered: boolean; isAll: boolean }): ReactNode {
  if (isFiltered) return <Empty title="No row matches the filter." />;
  if (isAll) return <Empty title="Neither side has a test result." />;
  return <Empty title="No test differs." />;
}
