import { Link } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { VERDICT_TABLE, type Grid, type Proof, type ResultView } from '@peerlab/contracts';
import { useEffect, useRef, type ReactNode } from 'react';
import { resultQuery } from '../api/queries.js';
import { bytesText, countText } from '../ui/numbers.js';
import { Ago, durationText } from '../ui/time.js';
import { QuerySection } from '../ui/section.js';
import { PathChip, VerdictMark } from '../ui/verdict.js';
import { alikeCells, verdictAt } from './model.js';

interface CellPanelProps {
  grid: Grid;
  row: number;
  column: number;
  onOpen: (column: number) => void;
  onClose: () => void;
}

/** The evidence behind one cell of the grid, and the same test on the other columns. */
export function CellPanel({ grid, row, column, onOpen, onClose }: CellPanelProps): ReactNode {
  const heading = useRef<HTMLHeadingElement>(null);
  const at = grid.columns[column];
  const what = grid.rows[row];
  const verdict = verdictAt(grid, row, column);
  const query = useQuery({
    ...resultQuery(at?.attemptId ?? '', what?.suite ?? '', what?.test ?? ''),
    enabled: verdict !== null && at?.attemptId != null,
  });
  const cell = query.data;
  const alike = alikeCells(grid, { row, column }).size;
  // The panel is mounted anew for every cell; see its key in GridPage.
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  if (at === undefined || what === undefined) return null;
  return (
    <aside
      className="panel"
      aria-label="Evidence"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        onClose();
      }}
    >
      <header>
        <div>
          <p className="muted">{what.suite}</p>
          <h2 ref={heading} tabIndex={-1}>
            {what.test}
          </h2>
        </div>
        <button type="button" className="quiet" onClick={onClose} aria-label="close the evidence" title="Escape">
          ✕
        </button>
      </header>
      <p className="row">
        <PathChip kind={at.combination.identity.pathKind} />
        {at.machine !== null && (
          <Link to="/machines/$machine" params={{ machine: at.machine }}>
            {at.machine}
          </Link>
        )}
        <span>
          kernel <strong>{at.build.name}</strong>
        </span>
      </p>
      {verdict === null ? (
        <p>Never run on this combination with this build.</p>
      ) : (
        <QuerySection query={query} what="the result">
          {(result) => <Evidence cell={result} />}
        </QuerySection>
      )}
      {alike > 0 && (
        <p className="row">
          <span className="chip">
            {countText(alike)} {alike === 1 ? 'cell fails' : 'cells fail'} in the same way
          </span>
        </p>
      )}
      <ul className="links">
        {cell?.log != null && at.attemptId !== null && (
          <li>
            <Link
              to="/attempts/$attempt"
              params={{ attempt: at.attemptId }}
              search={{
                view: 'log',
                stream: cell.log.stream,
                line: cell.log.fromSeq + 1,
                to: cell.log.toSeq + 1,
              }}
            >
              Log: {cell.log.stream} lines {countText(cell.log.fromSeq + 1)}–{countText(cell.log.toSeq + 1)}
            </Link>
          </li>
        )}
        {at.attemptId !== null && (
          <li>
            <Link to="/attempts/$attempt" params={{ attempt: at.attemptId }}>
              Attempt on {at.machine ?? 'its machine'}
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
          <Link to="/runs/$run" params={{ run: at.runId }}>
            Run {at.runName}
          </Link>{' '}
          <span className="muted">
            <Ago at={at.at} />
          </span>
        </li>
      </ul>
      <h3>The same test elsewhere</h3>
      <ul className="neighbours">
        {grid.columns.map((other, index) => {
          const there = verdictAt(grid, row, index);
          return (
            <li key={index}>
              <button type="button" aria-current={index === column} onClick={() => onOpen(index)}>
                {there === null ? <span className="verdict verdict-none">·</span> : <VerdictMark verdict={there} />}
                <span>
                  {other.machine ?? other.combination.label}
                  <span className="muted"> {other.build.name}</span>
                </span>
                <span className="muted">{other.combination.identity.pathKind}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </aside>
  );
}

function Evidence({ cell }: { cell: ResultView }): ReactNode {
  return (
    <>
      <p className="row">
        <VerdictMark verdict={cell.verdict} long />
        {cell.durationMs !== null && <span className="muted">took {durationText(cell.durationMs)}</span>}
      </p>
      <p className="reason">{cell.reason ?? VERDICT_TABLE[cell.verdict].help}</p>
      {cell.proof !== null && <ProofFacts proof={cell.proof} />}
    </>
  );
}

/** Which way the bytes went, as the devices' drivers counted it. */
export function ProofFacts({ proof }: { proof: Proof }): ReactNode {
  const pages = proof.aliasPages + proof.ramPages;
  const expected = { peer: 'the peer path', ram: 'RAM', any: 'no claim' }[proof.expected];
  return (
    <section aria-label="Proof of the path" className="proof">
      <h3>Which way the bytes went</h3>
      {pages > 0 && (
        <div className="proof-bar" aria-hidden="true">
          {proof.aliasPages > 0 && <span className="proof-peer" style={{ flexGrow: proof.aliasPages }} />}
          {proof.ramPages > 0 && <span className="proof-ram" style={{ flexGrow: proof.ramPages }} />}
        </div>
      )}
      <dl className="facts">
        <dt>Expected</dt>
        <dd>{expected}</dd>
        <dt>
          <i className="key proof-peer" aria-hidden="true" /> Peer (alias)
        </dt>
        <dd>{countText(proof.aliasPages)} pages</dd>
        <dt>
          <i className="key proof-ram" aria-hidden="true" /> RAM
        </dt>
        <dd>{countText(proof.ramPages)} pages</dd>
        <dt>Mapped as</dt>
        <dd>
          <code>{proof.mapType}</code>
        </dd>
        <dt>dma_alias calls</dt>
        <dd>{countText(proof.aliasCalls)}</dd>
        <dt>Migrated back</dt>
        <dd>{countText(proof.migratedBack)} pages</dd>
        <dt>Data compared</dt>
        <dd>
          {bytesText(proof.bytesCompared)}
          {proof.oracle && ', also through the host’s view of the BAR'}
        </dd>
      </dl>
    </section>
  );
}
