import { useQueries } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import {
  sizeText,
  twoSidedMatrix,
  twoSidedSizes,
  unitText,
  type RunDetail,
  type TwoSidedMatrix,
  type TwoSidedSeries,
} from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { attemptQuery } from '../api/attempts.js';
import { ListTable } from '../ui/ListTable.js';
import { numberText } from '../ui/numbers.js';
import { StateBadge, VerdictMark } from '../ui/verdict.js';

/** Attempts whose figures are fetched for the tables by message size; a run may have thousands of jobs. */
const MEASURED_MAX = 64;

/** A run whose jobs have two machines each: kernel by kernel, and its figures by message size. */
export function TwoSided({ run }: { run: RunDetail }): ReactNode {
  const matrix = useMemo(() => twoSidedMatrix(run), [run]);
  if (matrix === null) return null;
  return (
    <>
      <Matrix matrix={matrix} />
      {run.state === 'ended' && <Sizes matrix={matrix} />}
    </>
  );
}

function Matrix({ matrix: { rows, columns, cells } }: { matrix: TwoSidedMatrix }): ReactNode {
  return (
    <section aria-labelledby="two-sided-head">
      <h2 id="two-sided-head">
        Kernel by kernel: {rows.role} down, {columns.role} across
      </h2>
      <ListTable
        rows={rows.builds}
        keyOf={(build) => build}
        columns={[
          { name: rows.role, className: 'strong', render: (build) => build },
          ...columns.builds.map((name, column) => ({
            name,
            render: (build: string) => <Jobs jobs={cells[rows.builds.indexOf(build)]?.[column]?.jobs ?? []} />,
          })),
        ]}
      />
    </section>
  );
}

function Jobs({ jobs }: { jobs: TwoSidedMatrix['cells'][number][number]['jobs'] }): ReactNode {
  if (jobs.length === 0) return <span className="muted">not begun</span>;
  return jobs.map(({ verdict, attemptId }) => (
    <Link key={attemptId} to="/attempts/$attempt" params={{ attempt: attemptId }}>
      {verdict === null ? <StateBadge state="running" /> : <VerdictMark verdict={verdict} long />}
    </Link>
  ));
}

function Sizes({ matrix }: { matrix: TwoSidedMatrix }): ReactNode {
  const ids = matrix.cells.flat().flatMap(({ jobs }) => jobs.map(({ attemptId }) => attemptId));
  const queries = useQueries({ queries: ids.slice(0, MEASURED_MAX).map((id) => attemptQuery(id)) });
  if (queries.some(({ isPending }) => isPending)) return <p className="muted">Reading the figures…</p>;
  const { kernels, series } = twoSidedSizes(queries.flatMap(({ data }) => data ?? []));
  if (series.length === 0) return null;
  return (
    <section aria-labelledby="two-sided-sizes-head">
      <h2 id="two-sided-sizes-head">By message size</h2>
      {ids.length > MEASURED_MAX && (
        <p className="notice notice-warn">
          Of the first {MEASURED_MAX} of {ids.length} attempts. The report of the CLI has all of them.
        </p>
      )}
      {series.map((each) => (
        <SizeTable key={`${each.suite}/${each.series}/${each.unit}`} series={each} kernels={kernels} />
      ))}
    </section>
  );
}

function SizeTable({ series, kernels }: { series: TwoSidedSeries; kernels: readonly string[] }): ReactNode {
  return (
    <>
      <h3>
        <span className="muted">{series.suite}/</span>
        {series.series}{' '}
        <span className="muted">
          {unitText(series.unit)}, {series.better} is better
        </span>
      </h3>
      <ListTable
        rows={series.points}
        keyOf={({ bytes }) => bytes}
        columns={[
          { name: 'Size', className: 'number', render: ({ bytes }) => sizeText(bytes) },
          ...kernels.map((name, column) => ({
            name,
            className: 'number',
            render: ({ values }: TwoSidedSeries['points'][number]) => {
              const value = values[column] ?? null;
              if (value === null) return <span className="muted">–</span>;
              return <span title={`median of ${value.n} attempts`}>{numberText(value.median)}</span>;
            },
          })),
        ]}
      />
    </>
  );
}
