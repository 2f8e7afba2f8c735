import { Link } from '@tanstack/react-router';
import type { Combination, HistoryEntry } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { evidenceSearch } from '../runs/evidence.js';
import { KernelName } from '../runs/KernelName.js';
import type { HistorySearch } from '../search.js';
import { countText } from '../ui/numbers.js';
import { Ago, durationText } from '../ui/time.js';
import { PathChip, VerdictMark } from '../ui/verdict.js';

/** All results that are loaded, newest first. */
export function HistoryTable({
  entries,
  combinations,
  chosen,
}: {
  entries: readonly HistoryEntry[];
  combinations: readonly Combination[];
  chosen: HistorySearch;
}): ReactNode {
  const byHash = new Map(combinations.map((combination) => [combination.hash, combination]));
  return (
    <section aria-labelledby="results-head">
      <h2 id="results-head">Results, newest first</h2>
      <table className="list">
        <thead>
          <tr>
            <th scope="col">Verdict</th>
            <th scope="col">When</th>
            <th scope="col">Run</th>
            <th scope="col">Kernel</th>
            <th scope="col">Combination</th>
            <th scope="col">Machine</th>
            <th scope="col">Reason</th>
            <th scope="col">Took</th>
            <th scope="col">Evidence</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.attemptId}>
              <td data-label="Verdict">
                <VerdictMark verdict={entry.verdict} long />
              </td>
              <td data-label="When">
                <Ago at={entry.at} />
              </td>
              <td data-label="Run">
                <Link to="/runs/$run" params={{ run: entry.run.id }}>
                  {entry.run.name}
                </Link>
              </td>
              <td data-label="Kernel">
                <span>
                  <KernelName kernel={entry.kernel} />
                </span>
              </td>
              <td data-label="Combination">
                <CombinationCell combination={byHash.get(entry.combination)} chosen={chosen} />
              </td>
              <td data-label="Machine">
                {entry.machine !== null && (
                  <Link to="/machines/$machine" params={{ machine: entry.machine }}>
                    {entry.machine}
                  </Link>
                )}
              </td>
              <td data-label="Reason">{entry.reason !== null && <div className="reason">{entry.reason}</div>}</td>
              <td data-label="Took" className="number">
                {entry.durationMs === null ? '–' : durationText(entry.durationMs)}
              </td>
              <td data-label="Evidence">
                <EvidenceLink entry={entry} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function CombinationCell({
  combination,
  chosen,
}: {
  combination: Combination | undefined;
  chosen: HistorySearch;
}): ReactNode {
  if (combination === undefined) return <span className="muted">–</span>;
  return (
    <Link
      to="/history"
      search={{ ...chosen, combination: combination.hash }}
      title={combination.label}
      aria-label={`only ${combination.label}`}
    >
      <PathChip kind={combination.identity.pathKind} />
    </Link>
  );
}

function EvidenceLink({ entry: { attemptId, log } }: { entry: HistoryEntry }): ReactNode {
  return (
    <Link to="/attempts/$attempt" params={{ attempt: attemptId }} search={evidenceSearch(log)}>
      {log === null ? 'attempt' : `${log.stream} ${countText(log.fromSeq + 1)}–${countText(log.toSeq + 1)}`}
    </Link>
  );
}
