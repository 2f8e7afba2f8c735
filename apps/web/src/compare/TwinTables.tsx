import { Link } from '@tanstack/react-router';
import {
  metricId,
  metricName,
  unitText,
  whyText,
  type Combination,
  type TwinMetricView,
  type Twins,
} from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { useFirst } from '../ui/first.js';
import { ListTable, type ListColumn } from '../ui/ListTable.js';
import { OutcomeLink } from './ChangeTable.js';
import { SpreadCell } from './MetricChanges.js';
import { ratioText } from './ratio.js';

type Found = NonNullable<Twins['twins']>;
type TwinTest = Found['tests'][number];

const FIRST_ROWS = 100;

/** What each machine says of the tests on which they do not agree. */
export function TwinTests({ machines, tests }: { machines: Found['machines']; tests: readonly TwinTest[] }): ReactNode {
  const { shown, rest } = useFirst(tests, FIRST_ROWS, 'tests');
  if (tests.length === 0) return null;
  return (
    <>
      <ListTable
        rows={shown}
        keyOf={({ suite, test }) => `${suite}/${test}`}
        columns={[
          {
            name: 'Test',
            render: ({ suite, test }) => (
              <span className="test-path">
                <span className="muted">{suite}/</span>
                <Link to="/history" search={{ suite, test }}>
                  {test}
                </Link>
              </span>
            ),
          },
          ...machines.map(
            ({ name }, at): ListColumn<TwinTest> => ({
              name,
              render: ({ outcomes }) => (
                <>
                  <OutcomeLink outcome={outcomes[at] ?? null} />
                  {outcomes[at]?.reason != null && <div className="reason">{outcomes[at].reason}</div>}
                </>
              ),
            }),
          ),
        ]}
      />
      {rest}
    </>
  );
}

/** Every metric on each machine, those first in which one stands out. */
export function TwinMetrics({
  machines,
  combination,
  metrics,
}: {
  machines: Found['machines'];
  combination: Combination;
  metrics: readonly TwinMetricView[];
}): ReactNode {
  const { shown, rest } = useFirst(metrics, FIRST_ROWS, 'metrics');
  return (
    <>
      <ListTable
        rows={shown}
        keyOf={metricId}
        empty={<p className="muted">No metric matches the filter.</p>}
        columns={[
          {
            name: 'Metric',
            render: ({ suite, name, role, unit, better }) => (
              <span>
                <span className="muted">{suite}/</span>
                <Link to="/trends" search={{ suite, metric: name, combination: combination.hash }}>
                  {metricName({ name, role })}
                </Link>
                <span className="muted metric-unit">
                  {unitText(unit)}, {better} is better
                </span>
              </span>
            ),
          },
          ...machines.map(
            ({ name }, at): ListColumn<TwinMetricView> => ({
              name,
              className: 'number right',
              render: ({ spreads }) => <SpreadCell spread={spreads[at] ?? null} />,
            }),
          ),
          { name: 'Says', render: (metric) => <Says metric={metric} machines={machines} /> },
        ]}
      />
      {rest}
    </>
  );
}

const TONES = { better: 'good', worse: 'bad', unclear: 'quiet' } as const;

/** Which machine stands out and how far, or why none does. */
function Says({ metric, machines }: { metric: TwinMetricView; machines: Found['machines'] }): ReactNode {
  const { outlier, says, why, ratio, least, moreBoots } = metric;
  const name = outlier === null ? undefined : machines[outlier]?.name;
  if (name !== undefined) {
    return (
      <span>
        <span className={`badge tone-${TONES[says]}`}>
          {name} is {says}
        </span>
        <span className="muted metric-unit">
          {ratio !== null && `${ratioText(ratio.value)} of ${machines.length === 2 ? 'the other' : 'the others'}`}
        </span>
      </span>
    );
  }
  const text =
    why === 'few-boots'
      ? `${moreBoots} more of each machine needed`
      : why === 'one-sided'
        ? 'measured on one machine only'
        : whyText({ a: null, b: null, why, least, noise: null, moreBoots });
  return (
    <span>
      <span className="badge tone-quiet">
        {why === 'one-sided' ? 'one machine' : why === 'few-boots' ? 'more boots needed' : 'no clear difference'}
      </span>
      <span className="muted metric-unit">{text}</span>
    </span>
  );
}
