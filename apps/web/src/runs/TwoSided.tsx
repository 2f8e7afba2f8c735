import { useQueries } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import {
  attemptsOfMatrix,
  BOOTED_ONCE,
  bootsText,
  isBootedOnce,
  renderTwoSidedSizes,
  sizeText,
  TWO_SIDED_HOW,
  twoSidedCsv,
  twoSidedMatrix,
  twoSidedSizes,
  unitText,
  type RunDetail,
  type TwoSidedFigure,
  type TwoSidedKernels,
  type TwoSidedMatrix,
  type TwoSidedSeries,
} from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { attemptQuery } from '../api/attempts.js';
import { SizeChart } from '../compare/SizeChart.js';
import { CopyButton } from '../ui/copy.js';
import { useFirst } from '../ui/first.js';
import { ListTable } from '../ui/ListTable.js';
import { countText, numberText } from '../ui/numbers.js';
import { StateBadge, VerdictMark } from '../ui/verdict.js';

/** Attempts whose figures are fetched for the tables by message size; a run may have thousands of jobs. */
const MEASURED_MAX = 64;
/** Series shown before the rest is asked for. */
const FIRST_SERIES = 12;

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
  if (jobs.length === 0) return <span className="muted">–</span>;
  return jobs.map(({ verdict, attemptId }, index) => {
    const mark = verdict === null ? <StateBadge state="running" /> : <VerdictMark verdict={verdict} long />;
    if (attemptId !== null)
      return (
        <Link key={attemptId} to="/attempts/$attempt" params={{ attempt: attemptId }}>
          {mark}
        </Link>
      );
    return <span key={index}>{verdict === null ? <span className="muted">not begun</span> : mark}</span>;
  });
}

function Sizes({ matrix }: { matrix: TwoSidedMatrix }): ReactNode {
  const ids = attemptsOfMatrix(matrix);
  const queries = useQueries({ queries: ids.slice(0, MEASURED_MAX).map((id) => attemptQuery(id)) });
  const isPending = queries.some((query) => query.isPending);
  const sizes = twoSidedSizes(queries.flatMap(({ data }) => data ?? []));
  const { shown, rest } = useFirst(sizes.series, FIRST_SERIES, 'series');
  if (isPending) return <p className="muted">Reading the figures…</p>;
  if (sizes.series.length === 0) return null;
  return (
    <section aria-labelledby="two-sided-sizes-head">
      <div className="row">
        <h2 id="two-sided-sizes-head">By message size</h2>
        <span className="push row">
          <CopyButton text={() => renderTwoSidedSizes(sizes)} label="Copy as Markdown: the tables, for a cover letter">
            Copy as Markdown
          </CopyButton>
          <CopyButton text={() => twoSidedCsv(sizes)} label="Copy as CSV: every digit">
            Copy as CSV
          </CopyButton>
        </span>
      </div>
      {ids.length > MEASURED_MAX && (
        <p className="notice notice-warn">
          Of the first {MEASURED_MAX} of {ids.length} attempts. The report of the CLI has all of them.
        </p>
      )}
      <p className="muted">{TWO_SIDED_HOW}</p>
      {isBootedOnce(sizes) && <p className="notice notice-warn">{BOOTED_ONCE}</p>}
      {shown.map((each) => (
        <SizeTable
          key={`${each.suite}/${each.series}/${each.role}/${each.unit}`}
          series={each}
          kernels={sizes.kernels}
        />
      ))}
      {rest}
    </section>
  );
}

function SizeTable({ series, kernels }: { series: TwoSidedSeries; kernels: readonly TwoSidedKernels[] }): ReactNode {
  return (
    <section className="size-series" aria-label={`${series.suite}/${series.series} of ${series.role}`}>
      <h3>
        <span className="muted">{series.suite}/</span>
        {series.series}{' '}
        <span className="muted">
          {unitText(series.unit)}, {series.better} is better, measured by {series.role}
        </span>
      </h3>
      {series.points.length > 1 && (
        <SizeChart
          title={`${series.suite}/${series.series} of ${series.role}`}
          lines={kernels.map(({ name }, column) => ({
            name,
            points: series.points.map(({ bytes, values }) => ({ bytes, spread: values[column] ?? null })),
          }))}
        />
      )}
      <ListTable
        rows={series.points}
        keyOf={({ bytes }) => bytes}
        columns={[
          { name: 'Size', className: 'number right', render: ({ bytes }) => sizeText(bytes) },
          ...kernels.map(({ name }, column) => ({
            name,
            className: 'number right',
            render: ({ values }: TwoSidedSeries['points'][number]) => <Figure figure={values[column] ?? null} />,
          })),
        ]}
      />
    </section>
  );
}

function Figure({ figure }: { figure: TwoSidedFigure | null }): ReactNode {
  if (figure === null) return <span className="muted">not measured</span>;
  const { median, lowest, highest, boots, n } = figure;
  return (
    <>
      {numberText(median)}{' '}
      <span className="muted">
        {boots > 1 && `[${numberText(lowest)} … ${numberText(highest)}] `}
        {bootsText(boots)}, n = {countText(n)}
      </span>
    </>
  );
}
