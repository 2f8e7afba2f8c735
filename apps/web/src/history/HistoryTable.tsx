import { Link } from '@tanstack/react-router';
import type { Combination, HistoryEntry } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { evidenceSearch } from '../runs/evidence.js';
import { KernelName } from '../runs/KernelName.js';
import type { HistorySearch } from '../search.js';
import { ListTable } from '../ui/ListTable.js';
import { linesText } from '../ui/numbers.js';
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
      <ListTable
        rows={entries}
        keyOf={(entry) => `${entry.attemptId} ${entry.role}`}
        columns={[
          { name: 'Verdict', render: (entry) => <VerdictMark verdict={entry.verdict} long /> },
          { name: 'When', render: (entry) => <Ago at={entry.at} /> },
          {
            name: 'Run',
            render: (entry) => (
              <Link to="/runs/$run" params={{ run: entry.run.id }}>
                {entry.run.name}
              </Link>
            ),
          },
          {
            name: 'Kernel',
            render: (entry) => (
              <span>
                <KernelName kernel={entry.kernel} />
              </span>
            ),
          },
          {
            name: 'Combination',
            render: (entry) => <CombinationCell combination={byHash.get(entry.combination)} chosen={chosen} />,
          },
          {
            name: 'Machine',
            render: (entry) => (
              <>
                {entry.role !== undefined && `${entry.role} on `}
                {entry.machine !== null && (
                  <Link to="/machines/$machine" params={{ machine: entry.machine }}>
                    {entry.machine}
                  </Link>
                )}
              </>
            ),
          },
          { name: 'Reason', render: (entry) => entry.reason !== null && <div className="reason">{entry.reason}</div> },
          {
            name: 'Took',
            className: 'number',
            render: (entry) => (entry.durationMs === null ? '–' : durationText(entry.durationMs)),
          },
          { name: 'Evidence', render: (entry) => <EvidenceLink entry={entry} /> },
        ]}
      />
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
      {log === null ? 'attempt' : `${log.stream} ${linesText(log.fromSeq, log.toSeq)}`}
    </Link>
  );
}
