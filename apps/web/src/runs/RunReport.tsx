import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import {
  bootsText,
  wrongText,
  type MachineSummary,
  type RunDetail,
  type RunReport as Report,
  type Verdict,
} from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { fleetQuery } from '../api/fleet.js';
import { runGridQuery } from '../api/grid.js';
import { countsText, measuredHow, metricCells, noFinding, overviewCells, reportOfRun } from '../share/report.js';
import type { AttemptSearch } from '../search.js';
import { ListTable } from '../ui/ListTable.js';
import { countOf, countText } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';
import { durationText } from '../ui/time.js';
import { PathChip, VerdictMark } from '../ui/verdict.js';
import { TestNames } from './TestNames.js';

const NO_MACHINES: readonly MachineSummary[] = [];

/** What a run showed: the same model as its Markdown report, findings first. */
export function RunReport({ run }: { run: RunDetail }): ReactNode {
  // Fetched again when it says something new: a job has ended, or something went wrong.
  const news = `${run.jobs.ended} ${wrongText(run.counts)}`;
  const hasResults = Object.keys(run.counts).length > 0;
  const query = useQuery({ ...runGridQuery(run.id, news), enabled: hasResults, placeholderData: keepPreviousData });
  const fleet = useQuery({ ...fleetQuery(), enabled: hasResults });
  const machines = fleet.data?.machines ?? NO_MACHINES;
  const grid = query.data;
  const report = useMemo(() => (grid === undefined ? null : reportOfRun(run, grid, machines)), [run, grid, machines]);
  if (!hasResults) return null;
  return (
    <QuerySection query={query} what="the report">
      {() =>
        report !== null &&
        report.matrix.length > 0 && (
          <>
            <Findings report={report} isEnded={run.state === 'ended'} />
            <Known report={report} />
            <Matrix report={report} />
            <Unrun title="Did not run" groups={report.unrun} report={report} />
            <Unrun title="Skipped, by reason" groups={report.skips} report={report} />
            <Slowest report={report} />
            <Measured report={report} />
          </>
        )
      }
    </QuerySection>
  );
}

function Findings({ report, isEnded }: { report: Report; isEnded: boolean }): ReactNode {
  const { findings, failures } = report;
  return (
    <section aria-labelledby="findings-head">
      <h2 id="findings-head">Findings</h2>
      {findings.length === 0 && <p>{isEnded ? noFinding(report) : 'None so far.'}</p>}
      <FindingList findings={findings} report={report} />
      {failures.length > 0 && (
        <>
          <h3>Jobs that ended early</h3>
          <ul className="findings">
            {failures.map(({ place, class: kind, role, message }, index) => (
              <li key={index}>
                <p className="row">
                  <strong>{place.name}</strong>
                  <span className="chip">{kind}</span>
                  {role !== null && <span>of {role}</span>}
                </p>
                <p className="reason">{message}</p>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

/** Failures that people know, with why. */
function Known({ report }: { report: Report }): ReactNode {
  if (report.known.length === 0) return null;
  return (
    <section aria-labelledby="known-head">
      <h2 id="known-head">Known failures</h2>
      <FindingList findings={report.known} report={report} />
    </section>
  );
}

function FindingList({ findings, report }: { findings: Report['findings']; report: Report }): ReactNode {
  return (
    <ul className="findings">
      {findings.map(({ suite, tests, verdict, reason, places, known }, index) => (
        <li key={index}>
          <p className="finding">
            <VerdictMark verdict={verdict} long /> <TestNames suite={suite} tests={tests} />{' '}
            <Places places={places} report={report} search={{ verdict }} />
          </p>
          <p className="reason">{reason}</p>
          {known !== null && <p className="muted">{known}</p>}
        </li>
      ))}
    </ul>
  );
}

/** Links to the attempts at these places. */
function Places({
  places,
  report,
  search,
}: {
  places: readonly string[];
  report: Report;
  search: AttemptSearch;
}): ReactNode {
  return (
    <span className="muted">
      on{' '}
      {places.map((place, index) => {
        const attempt = report.attempts[place];
        return (
          <span key={place}>
            {index > 0 && ', '}
            {attempt === undefined ? (
              place
            ) : (
              <Link to="/attempts/$attempt" params={{ attempt }} search={search}>
                {place}
              </Link>
            )}
          </span>
        );
      })}
    </span>
  );
}

function Matrix({ report }: { report: Report }): ReactNode {
  const releases = new Map(report.builds.map(({ name, release }) => [name, release]));
  return (
    <section aria-labelledby="matrix-head">
      <h2 id="matrix-head">By machine</h2>
      <ListTable
        rows={report.matrix}
        keyOf={(_, index) => index}
        columns={[
          {
            name: 'Verdict',
            render: ({ verdict }) =>
              verdict === null ? <span className="muted">not ended</span> : <VerdictMark verdict={verdict} long />,
          },
          {
            name: 'Machine',
            render: ({ machine, name, topology }) => {
              const attempt = report.attempts[name];
              return (
                <>
                  {attempt === undefined ? (
                    machine
                  ) : (
                    <Link to="/attempts/$attempt" params={{ attempt }} className="strong">
                      {machine}
                    </Link>
                  )}{' '}
                  <span className="muted">{topology}</span>
                </>
              );
            },
          },
          {
            name: 'Build',
            render: ({ build, kernels, config, boots }) => (
              <>
                {build}, config {config}
                {boots > 1 && `, ${bootsText(boots)}`}{' '}
                <span className="muted">{kernels.map((kernel) => releases.get(kernel) ?? 'not built').join(', ')}</span>
              </>
            ),
          },
          {
            name: 'Path',
            render: ({ pathKind, iommu }) => (
              <span className="muted">
                {isPathKind(pathKind) ? <PathChip kind={pathKind} /> : pathKind} IOMMU {iommu}
              </span>
            ),
          },
          ...report.suites.map((suite) => ({
            name: suite,
            head: (
              <span title="passed/failed/skipped tests; other verdicts by name. Empty: the suite was not asked for there">
                {suite}
              </span>
            ),
            className: 'number',
            render: ({ suites }: Report['matrix'][number]) => countsText(suites.get(suite)),
          })),
        ]}
      />
      <p className="muted">
        Passed/failed/skipped tests of each suite, other verdicts by name. Empty: the suite was not asked for there.
      </p>
    </section>
  );
}

const isPathKind = (kind: string): kind is 'BUS_ADDR' | 'THRU_HOST_BRIDGE' | 'NOT_SUPPORTED' =>
  ['BUS_ADDR', 'THRU_HOST_BRIDGE', 'NOT_SUPPORTED'].includes(kind);

function Unrun({
  title,
  groups,
  report,
}: {
  title: string;
  groups: readonly { suite: string; tests: string[]; reason: string; places: string[]; verdict?: Verdict }[];
  report: Report;
}): ReactNode {
  if (groups.length === 0) return null;
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <ul className="findings">
        {groups.map(({ suite, tests, reason, places, verdict = 'skip' }, index) => (
          <li key={index}>
            <p className="row">
              <VerdictMark verdict={verdict} long />
              <strong>{reason}</strong>
            </p>
            <p className="row">
              <TestNames suite={suite} tests={tests} />
              <Places places={places} report={report} search={{ verdict }} />
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Slowest({ report: { slowest, timed, attempts } }: { report: Report }): ReactNode {
  if (slowest.length === 0) return null;
  return (
    <section aria-labelledby="slowest-head">
      <h2 id="slowest-head">Slowest tests</h2>
      <ol className="slowest">
        {slowest.map(({ suite, test, place, durationMs }) => {
          const attempt = attempts[place];
          return (
            <li key={`${suite}/${test}`}>
              <span className="number">{durationText(durationMs)}</span> <TestNames suite={suite} tests={[test]} />{' '}
              <span className="muted">
                on{' '}
                {attempt === undefined ? (
                  place
                ) : (
                  <Link to="/attempts/$attempt" params={{ attempt }} search={{ sort: 'time' }}>
                    {place}
                  </Link>
                )}
              </span>
            </li>
          );
        })}
      </ol>
      <p className="muted">
        {timed > slowest.length ? `The ${slowest.length} slowest of ${countText(timed)} tests` : 'All tests'}, each
        where it took longest; an attempt’s page sorts all of its own.
      </p>
    </section>
  );
}

function Measured({ report }: { report: Report }): ReactNode {
  const { machines } = report;
  if (machines.length === 0) return null;
  const overview = overviewCells(machines);
  return (
    <section aria-labelledby="measured-head">
      <h2 id="measured-head">Measurements</h2>
      {measuredHow(report).map((text) => (
        <p key={text} className="muted">
          {text.split('`').map((part, index) => (index % 2 === 0 ? part : <code key={index}>{part}</code>))}
        </p>
      ))}
      {overview.rows.length > 0 && <CellTable name="Ratios of every alias metric" {...overview} />}
      {machines.map((machine) => {
        const { head, rows } = metricCells(machine);
        return (
          <details key={machine.machine} className="source">
            <summary>
              {machine.machine}: {countOf(rows.length, 'metric')}
            </summary>
            <CellTable name={`Metrics of ${machine.machine}`} head={head} rows={rows} />
          </details>
        );
      })}
    </section>
  );
}

/** A table of texts; those behind the first column are figures. It scrolls by itself where it is wider than the page. */
function CellTable({
  name,
  head,
  rows,
}: {
  name: string;
  head: readonly string[];
  rows: readonly string[][];
}): ReactNode {
  return (
    <div className="wide-table" tabIndex={0} role="region" aria-label={name}>
      <ListTable
        rows={rows}
        keyOf={(_, index) => index}
        columns={head.map((title, at) => ({
          name: title,
          ...(at > 0 ? { className: 'number' } : {}),
          render: (row: string[]) => row[at],
        }))}
      />
    </div>
  );
}
