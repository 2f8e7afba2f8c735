import { Link } from '@tanstack/react-router';
import { VERDICT_TABLE, type CombinationHistory, type HistoryEntry, type HistoryLine } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { evidenceSearch, shortBuildId } from '../runs/evidence.js';
import type { HistorySearch } from '../search.js';
import { OneTabStop } from '../ui/OneTabStop.js';
import { countText } from '../ui/numbers.js';
import { exactText } from '../ui/time.js';
import { PathChip, VerdictMark } from '../ui/verdict.js';

/** One box for each combination: its counts, and a strip of verdicts for each build name. */
export function HistoryStrips({
  histories,
  chosen,
}: {
  histories: readonly CombinationHistory[];
  chosen: HistorySearch;
}): ReactNode {
  return (
    <section aria-label="By combination" className="strips">
      {histories.map((history) => (
        <CombinationBox key={history.combination.hash} history={history} chosen={chosen} />
      ))}
    </section>
  );
}

function CombinationBox({ history, chosen }: { history: CombinationHistory; chosen: HistorySearch }): ReactNode {
  const { combination, lines } = history;
  return (
    <article className="card strip-card">
      <header className="row">
        <PathChip kind={combination.identity.pathKind} />
        <h2>
          {chosen.combination === combination.hash ? (
            combination.label
          ) : (
            <Link to="/history" search={{ ...chosen, combination: combination.hash }} title="show only this one">
              {combination.label}
            </Link>
          )}
        </h2>
        <Counts history={history} />
      </header>
      {lines.map((line) => (
        <Strip key={line.name} line={line} where={combination.label} />
      ))}
    </article>
  );
}

function Counts({ history: { counts } }: { history: CombinationHistory }): ReactNode {
  const { n, conclusive, passed, changes, changesOnSameKernel } = counts;
  return (
    <dl className="strip-counts">
      <div>
        <dt>n</dt>
        <dd className="number">{countText(n)}</dd>
      </div>
      <div title={`${passed} of ${conclusive} conclusive results`}>
        <dt>passed</dt>
        <dd className="number">{conclusive === 0 ? '–' : `${Math.floor((passed / conclusive) * 100)} %`}</dd>
      </div>
      <div title="how often the verdict changed within a build name">
        <dt>changes</dt>
        <dd className="number">{countText(changes)}</dd>
      </div>
      {changesOnSameKernel > 0 && (
        <div title="changes between results of the same kernel: the test or the kernel is flaky">
          <dt>on the same kernel</dt>
          <dd className="number">
            <span className="chip chip-warn">{countText(changesOnSameKernel)}</span>
          </dd>
        </div>
      )}
    </dl>
  );
}

function Strip({ line, where }: { line: HistoryLine; where: string }): ReactNode {
  return (
    <div className="strip">
      <span className="strip-name">{line.name}</span>
      <div className="strip-frame">
        <OneTabStop className="strip-marks" label={`Results of build ${line.name} on ${where}, oldest first`}>
          {byKernel(line.entries).map((group) => (
            <span key={group[0]?.attemptId} className="strip-kernel">
              <span className="strip-glyphs">
                {group.map((entry) => (
                  <Mark key={`${entry.attemptId} ${entry.role}`} entry={entry} />
                ))}
              </span>
              <KernelLabel entry={group[0]} />
            </span>
          ))}
        </OneTabStop>
      </div>
    </div>
  );
}

function KernelLabel({ entry }: { entry: HistoryEntry | undefined }): ReactNode {
  const buildId = entry?.kernel.buildId ?? null;
  return (
    <span className="strip-build" title={`${entry?.kernel.release ?? 'never built'} ${buildId ?? ''}`}>
      {buildId === null ? 'no build' : shortBuildId(buildId).slice(0, 7)}
    </span>
  );
}

function Mark({ entry }: { entry: HistoryEntry }): ReactNode {
  const { verdict, reason, attemptId, log, at, machine, run } = entry;
  const title = [
    `${VERDICT_TABLE[verdict].label} · ${exactText(Date.parse(at))}`,
    `${run.name}${machine === null ? '' : ` on ${machine}`}`,
    ...(reason === null ? [] : [reason]),
  ].join('\n');
  return (
    <Link to="/attempts/$attempt" params={{ attempt: attemptId }} search={evidenceSearch(log)} title={title}>
      <VerdictMark verdict={verdict} />
      <span className="unseen">
        , {exactText(Date.parse(at))}, {run.name}
      </span>
    </Link>
  );
}

/** Groups neighbouring results of the same kernel. */
function byKernel(entries: readonly HistoryEntry[]): HistoryEntry[][] {
  const groups: HistoryEntry[][] = [];
  for (const entry of entries) {
    const group = groups.at(-1);
    if (group?.[0]?.kernel.buildId === entry.kernel.buildId) group?.push(entry);
    else groups.push([entry]);
  }
  return groups;
}
