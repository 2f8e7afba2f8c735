import {
  progressText,
  runPhase,
  VERDICT_TABLE,
  VERDICTS,
  type PathKind,
  type RunSummary,
  type Verdict,
} from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { countText } from './numbers.js';

/** A verdict as icon, letter and colour, or spelled out. */
export function VerdictMark({ verdict, long = false }: { verdict: Verdict; long?: boolean }): ReactNode {
  const { icon, letter, label, help } = VERDICT_TABLE[verdict];
  // Read out by a label: text out of sight in each of a thousand cells would slow the scrolling of the grid.
  const said = long ? {} : { role: 'img', 'aria-label': label };
  return (
    <span className={`verdict verdict-${verdict}`} title={`${label}: ${help}`} {...said}>
      <span aria-hidden="true" className="verdict-icon">
        {icon}
      </span>
      <span>{long ? label : letter}</span>
    </span>
  );
}

/** Where a run stands: its verdict when it has ended, before that what it does and how far it is. */
export function RunStanding({
  run,
}: {
  run: Pick<RunSummary, 'state' | 'verdict' | 'counts' | 'jobs' | 'progress'>;
}): ReactNode {
  if (run.state === 'ended') {
    return run.verdict === null ? (
      <span className="muted">no verdict</span>
    ) : (
      <VerdictMark verdict={run.verdict} long />
    );
  }
  const progress = progressText(run);
  return (
    <span className="standing">
      <StateBadge state={runPhase(run)} />
      {progress !== '' && <span className="muted"> {progress}</span>}
    </span>
  );
}

/** Counts by verdict, worst first, nothing for zero. */
export function VerdictCounts({ counts }: { counts: Partial<Record<Verdict, number>> }): ReactNode {
  const shown = VERDICTS.filter((verdict) => (counts[verdict] ?? 0) > 0);
  if (shown.length === 0) return <span className="muted">no results yet</span>;
  return (
    <span className="counts">
      {shown.map((verdict) => (
        <span key={verdict} className={`count verdict-${verdict}`} title={VERDICT_TABLE[verdict].help}>
          <span aria-hidden="true">{VERDICT_TABLE[verdict].icon}</span> {countText(counts[verdict] ?? 0)}
          <span className="unseen"> {VERDICT_TABLE[verdict].label}</span>
        </span>
      ))}
    </span>
  );
}

const PATH_HELP: Record<PathKind, string> = {
  BUS_ADDR: 'peer traffic stays below one switch; bus addresses are used',
  THRU_HOST_BRIDGE: 'peer traffic is routed by the host bridge',
  NOT_SUPPORTED: 'no peer path exists; data has to go through RAM',
};

export function PathChip({ kind }: { kind: PathKind }): ReactNode {
  return (
    <span className={`chip path-${kind}`} title={PATH_HELP[kind]}>
      {kind}
    </span>
  );
}

const STATE_LOOK: Record<string, { icon: string; tone: string }> = {
  queued: { icon: '◔', tone: 'quiet' },
  waiting: { icon: '◔', tone: 'warn' },
  blocked: { icon: '◌', tone: 'quiet' },
  assigned: { icon: '◔', tone: 'live' },
  running: { icon: '◐', tone: 'live' },
  ended: { icon: '●', tone: 'quiet' },
  started: { icon: '◐', tone: 'live' },
  passed: { icon: '✓', tone: 'good' },
  failed: { icon: '✗', tone: 'bad' },
  skipped: { icon: '–', tone: 'quiet' },
  online: { icon: '●', tone: 'good' },
  busy: { icon: '◐', tone: 'live' },
  offline: { icon: '○', tone: 'bad' },
  unknown: { icon: '?', tone: 'quiet' },
  active: { icon: '▶', tone: 'quiet' },
  drained: { icon: '‖', tone: 'warn' },
  maintenance: { icon: '⚒', tone: 'warn' },
  quarantined: { icon: '⚠', tone: 'bad' },
  reserved: { icon: '⚑', tone: 'warn' },
  extended: { icon: '⚑', tone: 'warn' },
  returned: { icon: '↩', tone: 'quiet' },
  pending: { icon: '◔', tone: 'quiet' },
  building: { icon: '◐', tone: 'live' },
  ready: { icon: '✓', tone: 'good' },
  open: { icon: '◐', tone: 'live' },
  connecting: { icon: '◔', tone: 'live' },
  refused: { icon: '✗', tone: 'bad' },
  connected: { icon: '●', tone: 'good' },
  lost: { icon: '○', tone: 'bad' },
};

/** A state of a run, job, stage, machine or agent, by word, icon and tone. */
export function StateBadge({ state, title }: { state: string; title?: string }): ReactNode {
  const { icon, tone } = STATE_LOOK[state] ?? { icon: '', tone: 'quiet' };
  return (
    <span className={`badge tone-${tone}`} title={title}>
      <span aria-hidden="true">{icon}</span> {state}
    </span>
  );
}
