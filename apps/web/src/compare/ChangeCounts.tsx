import { Link } from '@tanstack/react-router';
import { CHANGE_CLASSES, CHANGE_TABLE, type ChangeClass, type Comparison } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { ListTable, type ListColumn } from '../ui/ListTable.js';
import { countText } from '../ui/numbers.js';
import { PathChip } from '../ui/verdict.js';
import { ChangeMark } from './ChangeMark.js';

/** Number of tests in each class for each combination; choosing a combination limits the table below to it. */
export function ChangeCounts({
  combinations,
  only,
}: Pick<Comparison, 'combinations'> & { only: string | null }): ReactNode {
  return (
    <section aria-labelledby="counts-head">
      <h2 id="counts-head">By combination</h2>
      <ListTable
        className="change-counts"
        rows={combinations}
        keyOf={({ combination, machine }) => `${combination.hash} ${machine ?? ''}`}
        columns={[
          {
            name: 'Combination',
            render: ({ combination, machine }) => (
              <span className="row tight">
                <PathChip kind={combination.identity.pathKind} />
                <Link
                  to="/compare"
                  search={(before) => ({ ...before, on: combination.hash === only ? undefined : combination.hash })}
                  resetScroll={false}
                  title={combination.hash === only ? 'show all combinations' : 'show only this combination'}
                  aria-current={combination.hash === only ? 'true' : undefined}
                >
                  {combination.label}
                </Link>
                {machine !== undefined && (
                  <Link to="/machines/$machine" params={{ machine }}>
                    {machine}
                  </Link>
                )}
              </span>
            ),
          },
          ...CHANGE_CLASSES.map(
            (change): ListColumn<Comparison['combinations'][number]> => ({
              name: change,
              head: (
                <span title={CHANGE_TABLE[change].help}>
                  <span aria-hidden="true">{CHANGE_TABLE[change].icon}</span> {change}
                </span>
              ),
              className: 'number right',
              render: ({ counts }) => <Count change={change} count={counts[change]} />,
            }),
          ),
        ]}
      />
    </section>
  );
}

function Count({ change, count }: { change: ChangeClass; count: number }): ReactNode {
  if (count === 0) return <span className="muted">0</span>;
  if (change !== 'regressed' && change !== 'fixed') return countText(count);
  return (
    <span className={change === 'regressed' ? 'change tone-bad' : 'change tone-good'}>
      <span className="counted">{countText(count)}</span>
    </span>
  );
}

/** Classes that occur, with their counts over all combinations. */
export function ChangeTotals({
  combinations,
  isHardware = false,
}: Pick<Comparison, 'combinations'> & { isHardware?: boolean }): ReactNode {
  const totals = CHANGE_CLASSES.map((change) => ({
    change,
    count: combinations.reduce((sum, { counts }) => sum + counts[change], 0),
  }));
  return (
    <span className="row tight">
      {totals
        .filter(({ count }) => count > 0)
        .map(({ change, count }) => (
          <span key={change} className="row tight">
            <strong className="number">{countText(count)}</strong>{' '}
            <ChangeMark change={change} isHardware={isHardware} />
          </span>
        ))}
    </span>
  );
}
