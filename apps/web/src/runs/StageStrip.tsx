import { BUILD_STAGES, STAGES, stageOutcome, type AttemptSummary } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Elapsed, useNow } from '../ui/time.js';
import { usualText } from './usual-text.js';

type StageView = AttemptSummary['stages'][number];

/** The stages of an attempt in order; the duration of a running stage is updated, beside what it usually takes. */
export function StageStrip({
  kind,
  stages,
  failure,
  ended,
}: {
  kind: 'build' | 'test';
  stages: readonly StageView[];
  failure: AttemptSummary['failure'];
  ended: boolean;
}): ReactNode {
  const names = kind === 'build' ? BUILD_STAGES : STAGES;
  return (
    <ol className="stages" aria-label="Stages">
      {names.map((name) => {
        const view = stages.findLast(({ stage }) => stage === name);
        const status = view === undefined ? 'waiting' : stageOutcome(view.status, failure);
        const { icon, word } = LOOK[status];
        return (
          <li key={name} className={`stage stage-${status}`} title={view?.detail ?? undefined}>
            <span className="stage-name">
              <span aria-hidden="true">{icon}</span> {name}
              <span className="unseen"> {word}</span>
            </span>
            <span className="muted">
              {view === undefined ? (
                ''
              ) : (
                <Elapsed from={view.startedAt} to={view.endedAt ?? (ended ? view.startedAt : null)} />
              )}
            </span>
            {view?.usualMs !== undefined && view.endedAt === null && !ended && (
              <Usual startedAt={view.startedAt} usualMs={view.usualMs} />
            )}
          </li>
        );
      })}
    </ol>
  );
}

function Usual({ startedAt, usualMs }: { startedAt: string; usualMs: number }): ReactNode {
  return <span className="stage-usual muted">{usualText(useNow() - Date.parse(startedAt), usualMs)}</span>;
}

const LOOK = {
  waiting: { icon: '○', word: 'not started' },
  started: { icon: '◐', word: 'running' },
  passed: { icon: '✓', word: 'passed' },
  failed: { icon: '✗', word: 'failed' },
  skipped: { icon: '–', word: 'skipped' },
  stopped: { icon: '⊘', word: 'stopped: canceled' },
} as const;
