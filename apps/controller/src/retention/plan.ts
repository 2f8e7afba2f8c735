import type { Removal, RetentionPolicy, StorageUse } from '@peerlab/contracts';

/** Evidence that may be removed: not pinned and not in use. */
export interface Candidate {
  kind: Removal['kind'];
  subject: string;
  name: string;
  /** Why a run exists decides how long it is kept; null for artifacts. */
  trigger: string | null;
  /** When the run ended, or the artifact was last used. */
  lastUsedAt: Date;
  lines: number;
  bytes: number;
}

const DAY_MS = 24 * 3600 * 1000;
/** A recent upload that no run uses yet: the run that uses it may be submitted next. */
const YOUNG_MS = 3600 * 1000;

/**
 * Chooses what to remove: first what is older than the policy allows, then the oldest evidence until the use is below
 * the soft limit and the disk has enough free bytes. Results are never removed to make room: they are small. Pure.
 */
export function planRemovals(
  candidates: readonly Candidate[],
  use: StorageUse,
  policy: RetentionPolicy,
  now: Date,
): Removal[] {
  const isPast = (candidate: Candidate): boolean =>
    now.getTime() - candidate.lastUsedAt.getTime() > daysOf(candidate, policy) * DAY_MS;
  const oldestFirst = candidates.toSorted((a, b) => a.lastUsedAt.getTime() - b.lastUsedAt.getTime() || order(a, b));
  const aged = oldestFirst.filter(isPast);
  // Removing a run removes its logs, too.
  const goneRuns = new Set(aged.flatMap(({ kind, subject }) => (kind === 'run' ? [subject] : [])));
  const removals = aged
    .filter(({ kind, subject }) => kind !== 'logs' || !goneRuns.has(subject))
    .map((candidate) => removalOf(candidate, 'age'));
  let wanted = Math.max(use.usedBytes - policy.softBytes, policy.freeBytes - use.freeBytes);
  for (const { bytes } of removals) wanted -= bytes;
  for (const candidate of oldestFirst) {
    if (wanted <= 0) break;
    if (candidate.kind === 'run' || candidate.bytes === 0 || isPast(candidate)) continue;
    if (now.getTime() - candidate.lastUsedAt.getTime() < YOUNG_MS) continue;
    removals.push(removalOf(candidate, 'space'));
    wanted -= candidate.bytes;
  }
  return removals;
}

function daysOf({ kind, trigger }: Candidate, policy: RetentionPolicy): number {
  if (kind === 'artifact') return policy.artifactDays;
  const times = trigger === 'webhook' || trigger === 'farm' ? policy.webhook : policy.user;
  return kind === 'logs' ? times.logDays : times.resultDays;
}

/** Artifacts are removed after the runs that use them. */
const KINDS: readonly Candidate['kind'][] = ['logs', 'run', 'artifact'];

/** Orders candidates that were last used in the same millisecond. */
const order = (a: Candidate, b: Candidate): number =>
  KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || (a.subject < b.subject ? -1 : 1);

function removalOf({ kind, subject, name, lastUsedAt, lines, bytes }: Candidate, why: Removal['why']): Removal {
  return { kind, subject, name, lastUsedAt: lastUsedAt.toISOString(), why, lines, bytes };
}
