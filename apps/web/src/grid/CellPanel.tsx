import { Link } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { bootText, foldCell, pairText, placeNames, twinsText, VERDICT_TABLE, type Grid } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { resultQuery } from '../api/attempts.js';
import { SuspectNotice } from '../runs/SuspectNotice.js';
import { evidenceSearch } from '../runs/evidence.js';
import { countText, linesText } from '../ui/numbers.js';
import { Ago } from '../ui/time.js';
import { QuerySection } from '../ui/section.js';
import { FailureMemory } from '../failures/FailureMemory.js';
import { PathChip, VerdictMark } from '../ui/verdict.js';
import { CellEvidence } from './Evidence.js';
import { RoleList } from './RoleList.js';
import { Measured } from './Measured.js';
import type { MetricFrame } from './metrics.js';
import { alikeCells, isPending, metricsOf, reasonLookup, verdictAt } from './model.js';
import { hasAllNotes } from './NotesCut.js';
import { PanelFrame } from './PanelFrame.js';

interface CellPanelProps {
  grid: Grid;
  /** The grid with a column for each boot, and those that this column stands for. */
  source: Grid;
  boots: readonly number[];
  frame: MetricFrame;
  row: number;
  column: number;
  onOpen: (column: number) => void;
  onClose: () => void;
}

/** The evidence behind one cell of the grid, and the same test on the other columns. */
export function CellPanel({ grid, source, boots, frame, row, column, onOpen, onClose }: CellPanelProps): ReactNode {
  const shown = evidenceOf(source, row, boots);
  const at = shown === null ? grid.columns[column] : source.columns[shown];
  const reason = reasonLookup(grid).get(`${row}:${column}`);
  const what = grid.rows[row];
  const verdict = verdictAt(grid, row, column);
  const query = useQuery({
    ...resultQuery(at?.attemptId ?? '', what?.suite ?? '', what?.test ?? ''),
    enabled: verdict !== null && at?.attemptId != null,
  });
  const cell = query.data;
  const places = placeNames(grid.columns);
  const twins = twinsText(grid.columns, what?.verdicts ?? '', column);
  const alike = alikeCells(grid, { row, column }).size;
  if (at === undefined || what === undefined) return null;
  return (
    <PanelFrame suite={what.suite} test={what.test} onClose={onClose}>
      <p className="row">
        {at.roles === undefined && <PathChip kind={at.combination.identity.pathKind} />}
        {at.machine !== null && at.roles === undefined && (
          <Link to="/machines/$machine" params={{ machine: at.machine }}>
            {at.machine}
          </Link>
        )}
        {at.pair !== null && at.roles === undefined && <span className="muted">{pairText(at.pair)}</span>}
        <span>
          kernel{' '}
          <Link to="/builds/$build" params={{ build: at.build.id }} className="strong">
            {at.build.name}
          </Link>
          {at.build.aliases.length > 0 && <span className="muted"> also {at.build.aliases.join(', ')}</span>}
        </span>
      </p>
      {at.roles !== undefined && <RoleList roles={at.roles} />}
      {at.boot !== null && (
        <p>
          {boots.length > 1 && reason !== undefined && `${reason}. `}
          {boots.length > 1 && 'The evidence is that of '}
          <strong>{bootText(at.boot)}</strong>.
        </p>
      )}
      {twins !== null && (
        <p className="notice notice-warn">
          {twins}{' '}
          <Link to="/compare/machines" search={{ build: at.build.id, combination: at.combination.hash }}>
            Compare them
          </Link>
        </p>
      )}
      {at.busy !== null && (
        <p>
          A later job of this column is {at.busy.state}:{' '}
          <Link to="/runs/$run" params={{ run: at.busy.runId }}>
            {at.busy.runName}
          </Link>
        </p>
      )}
      {verdict === null ? (
        <p>
          {isPending(grid, row, column)
            ? `Planned and not reached yet: the job is ${at.state}.`
            : 'Never run on this combination with this build.'}
        </p>
      ) : (
        <QuerySection query={query} what="the result">
          {(result) => (
            <>
              <SuspectNotice suspects={result.suspects} />
              <CellEvidence
                result={result}
                identity={at.combination.identity}
                attempt={at.attemptId ?? ''}
                suite={what.suite}
                build={at.build.id}
                roles={at.roles}
              />
            </>
          )}
        </QuerySection>
      )}
      {cell !== undefined && at.attemptId !== null && VERDICT_TABLE[cell.verdict].wrong && (
        <FailureMemory attempt={at.attemptId} subject={{ suite: what.suite, test: what.test }} />
      )}
      <Measured metrics={metricsOf(grid, grid.metrics, row)} column={column} frame={frame} />
      {alike > 0 && (
        <p>
          {hasAllNotes(grid) ? '' : 'At least '}
          {countText(alike)} {alike === 1 ? 'other cell fails' : 'other cells fail'} in the same way, with a red frame
          in the grid.
        </p>
      )}
      <ul className="links">
        {cell?.log != null && at.attemptId !== null && (
          <li>
            <Link to="/attempts/$attempt" params={{ attempt: at.attemptId }} search={evidenceSearch(cell.log)}>
              Log: {cell.log.stream} lines {linesText(cell.log.fromSeq, cell.log.toSeq)}
            </Link>
          </li>
        )}
        {at.attemptId !== null && (
          <li>
            <Link to="/attempts/$attempt" params={{ attempt: at.attemptId }}>
              Attempt on {places[column]?.machine ?? 'its machine'}
            </Link>
          </li>
        )}
        <li>
          <Link to="/history" search={{ suite: what.suite, test: what.test, combination: at.combination.hash }}>
            History of this test here
          </Link>{' '}
          <Link to="/history" search={{ suite: what.suite, test: what.test }} className="muted">
            everywhere
          </Link>
        </li>
        <li>
          <Link
            to="/"
            search={{
              by: 'builds',
              combination: at.combination.hash,
              ...(at.build.buildId === null ? {} : { cell: `${what.suite}/${what.test}@${at.build.buildId}` }),
            }}
          >
            This test on other kernels
          </Link>
        </li>
        <li>
          <Link to="/runs/$run" params={{ run: at.runId }}>
            Run {at.runName}
          </Link>{' '}
          <span className="muted">
            <Ago at={at.at} />
          </span>
        </li>
      </ul>
      {boots.length > 1 && <Boots source={source} row={row} boots={boots} />}
      <h3>The same test elsewhere</h3>
      <ul className="neighbours">
        {grid.columns.map((other, index) => {
          const there = verdictAt(grid, row, index);
          return (
            <li key={index}>
              <button type="button" aria-current={index === column} onClick={() => onOpen(index)}>
                {there === null ? <span className="verdict verdict-none">·</span> : <VerdictMark verdict={there} />}
                <span>
                  {other.machine === null && other.roles === undefined
                    ? other.combination.label
                    : places[index]?.machine}
                  <span className="muted">
                    {' '}
                    {places[index]?.build}
                    {other.boot !== null && source === grid && `, ${bootText(other.boot)}`}
                  </span>
                </span>
                <span className="muted">{other.combination.identity.pathKind}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </PanelFrame>
  );
}

/** The boot that shows what a cell says: the first with the verdict that the boots come to; null where none has one. */
function evidenceOf(source: Grid, row: number, boots: readonly number[]): number | null {
  const letters = source.rows[row]?.verdicts ?? '';
  const judged = foldCell(boots.map((boot) => ({ letter: letters[boot] ?? '', reason: null })));
  return judged === null ? null : (boots[judged.evidence] ?? null);
}

/** What each boot of the cell says, with a link to its attempt. */
function Boots({ source, row, boots }: Pick<CellPanelProps, 'source' | 'row' | 'boots'>): ReactNode {
  return (
    <>
      <h3>Each boot</h3>
      <ul className="links">
        {boots.map((boot) => {
          const [column, verdict] = [source.columns[boot], verdictAt(source, row, boot)];
          if (column?.boot == null) return null;
          const text = bootText(column.boot);
          return (
            <li key={boot}>
              {verdict === null ? <span className="verdict verdict-none">·</span> : <VerdictMark verdict={verdict} />}{' '}
              {column.attemptId === null ? (
                <span className="muted">{text}: not started</span>
              ) : (
                <Link to="/attempts/$attempt" params={{ attempt: column.attemptId }}>
                  {text}
                </Link>
              )}
            </li>
          );
        })}
      </ul>
    </>
  );
}
