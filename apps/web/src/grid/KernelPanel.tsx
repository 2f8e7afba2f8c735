import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { runSideText, VERDICT_TABLE, type BuildGrid, type KernelResult } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { resultQuery } from '../api/attempts.js';
import { kernelResultsQuery } from '../api/grid.js';
import { evidenceSearch, shortBuildId } from '../runs/evidence.js';
import { countText, linesText } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';
import { Ago } from '../ui/time.js';
import { FailureMemory } from '../failures/FailureMemory.js';
import { PathChip, VerdictMark } from '../ui/verdict.js';
import { CellEvidence } from './Evidence.js';
import { kernelBefore } from './kernel-model.js';
import { Measured } from './Measured.js';
import type { MetricFrame } from './metrics.js';
import { verdictAt, type GridMetricRow } from './model.js';
import { PanelFrame } from './PanelFrame.js';

interface KernelPanelProps {
  grid: BuildGrid;
  /** Metrics of the test in the row; empty unless metrics are shown. */
  metrics: readonly GridMetricRow[];
  frame: MetricFrame;
  row: number;
  column: number;
  onOpen: (column: number) => void;
  onClose: () => void;
}

/** The evidence behind one test on one kernel, on each combination, and the same test on other kernels. */
export function KernelPanel({ grid, metrics, frame, row, column, onOpen, onClose }: KernelPanelProps): ReactNode {
  const kernel = grid.columns[column];
  const what = grid.rows[row];
  const verdict = verdictAt(grid, row, column);
  const query = useQuery({
    ...kernelResultsQuery(kernel?.key ?? '', what?.suite ?? '', what?.test ?? ''),
    enabled: verdict !== null,
  });
  if (kernel === undefined || what === undefined) return null;
  const before = kernelBefore(grid.columns, column);
  return (
    <PanelFrame suite={what.suite} test={what.test} onClose={onClose}>
      <p className="row">
        <span>
          kernel{' '}
          <Link to="/builds/$build" params={{ build: kernel.build.id }} className="strong">
            {kernel.build.name}
          </Link>{' '}
          <code title={kernel.buildId}>{shortBuildId(kernel.buildId)}</code>
        </span>
        <span className="muted">{kernel.release}</span>
      </p>
      {verdict === null ? (
        <p>Never run on this kernel{grid.combination !== null && ' with this combination'}.</p>
      ) : (
        <QuerySection query={query} what="the results">
          {(results) => <Results grid={grid} results={results} suite={what.suite} test={what.test} />}
        </QuerySection>
      )}
      <Measured metrics={metrics} column={column} frame={frame} />
      {before !== null && (
        <p>
          <Link
            to="/compare"
            search={{
              a: runSideText(before.run.id, before.build.name),
              b: runSideText(kernel.run.id, kernel.build.name),
            }}
          >
            Compare with the kernel before
          </Link>{' '}
          <code className="muted" title={before.buildId}>
            {shortBuildId(before.buildId)}
          </code>
        </p>
      )}
      <h3>The same test on other kernels</h3>
      <ul className="neighbours">
        {grid.columns.map((other, index) => {
          const there = verdictAt(grid, row, index);
          return (
            <li key={other.key}>
              <button type="button" aria-current={index === column} onClick={() => onOpen(index)}>
                {there === null ? <span className="verdict verdict-none">·</span> : <VerdictMark verdict={there} />}
                <span>
                  {other.build.name} <span className="muted">{other.release}</span>
                </span>
                <span className="muted">{shortBuildId(other.buildId)}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </PanelFrame>
  );
}

function Results({
  grid,
  results,
  suite,
  test,
}: {
  grid: BuildGrid;
  results: readonly KernelResult[];
  suite: string;
  test: string;
}): ReactNode {
  const chosen = results.find(({ combination }) => combination.hash === grid.combination?.hash) ?? results[0];
  const query = useQuery({
    ...resultQuery(chosen?.attemptId ?? '', suite, test),
    enabled: chosen !== undefined,
  });
  if (chosen === undefined) return <p>Its result is no longer stored.</p>;
  const { attemptId, combination, log, machine, run, at } = chosen;
  const same = results.filter(({ verdict }) => verdict === chosen.verdict).length;
  return (
    <>
      <QuerySection query={query} what="the result">
        {(result) => <CellEvidence result={result} identity={combination.identity} attempt={attemptId} suite={suite} />}
      </QuerySection>
      {VERDICT_TABLE[chosen.verdict].wrong && <FailureMemory attempt={attemptId} subject={{ suite, test }} />}
      {grid.combination === null && (
        <p className="muted">
          {same === results.length
            ? `All ${countText(results.length)} combinations have this verdict; this one:`
            : `${countText(same)} of ${countText(results.length)} combinations ${same === 1 ? 'has' : 'have'} this verdict; the worst is shown:`}
        </p>
      )}
      <p className="row">
        <PathChip kind={combination.identity.pathKind} />
        {machine !== null && (
          <Link to="/machines/$machine" params={{ machine }}>
            {machine}
          </Link>
        )}
      </p>
      <ul className="links">
        {log !== null && (
          <li>
            <Link to="/attempts/$attempt" params={{ attempt: attemptId }} search={evidenceSearch(log)}>
              Log: {log.stream} lines {linesText(log.fromSeq, log.toSeq)}
            </Link>
          </li>
        )}
        <li>
          <Link to="/attempts/$attempt" params={{ attempt: attemptId }}>
            Attempt on {machine ?? 'its machine'}
          </Link>
        </li>
        <li>
          <Link to="/history" search={{ suite, test, combination: combination.hash }}>
            History of this test here
          </Link>{' '}
          <Link to="/history" search={{ suite, test }} className="muted">
            everywhere
          </Link>
        </li>
        <li>
          <Link to="/runs/$run" params={{ run: run.id }}>
            Run {run.name}
          </Link>{' '}
          <span className="muted">
            <Ago at={at} />
          </span>
        </li>
      </ul>
      {results.length > 1 && (
        <>
          <h3>On this kernel by combination</h3>
          <ul className="neighbours">
            {results.map((each) => (
              <li key={each.combination.hash}>
                <Link
                  to="/attempts/$attempt"
                  params={{ attempt: each.attemptId }}
                  search={evidenceSearch(each.log)}
                  className="neighbour"
                  aria-current={each === chosen}
                  title={each.combination.label}
                >
                  <VerdictMark verdict={each.verdict} />
                  <span>{each.machine ?? each.combination.label}</span>
                  <span className="muted">{each.combination.identity.pathKind}</span>
                </Link>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
