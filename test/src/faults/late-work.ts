import type { Evidence, Finding, LeaseRow } from './evidence.js';
import type { Truth } from './lab.js';
import type { Performance } from './perform.js';

/** What an attempt did to a machine, as the machine saw it. */
export interface Action {
  atMs: number;
  machine: string;
  /** Fence of the attempt; null = the action names none. */
  fence: number | null;
  kind: ActionKind;
  /** For messages. */
  what: string;
  /** Puts the machine back, which an attempt has to do with or without its lease. */
  restoring: boolean;
}
export type ActionKind = 'claim' | 'flash' | 'upload' | 'select' | 'reboot' | 'test' | 'clean' | 'power' | 'disk';

/** Commands that do not change a machine. */
const READING = new Set([
  // `true`, which asks for the fence and nothing else.
  '',
  'collect',
  'boot-policy',
  'df',
  'digest',
  'enrolment-facts',
  'fence-check',
  'fingerprint',
  'grub-pending',
  'grub-preflight',
  'grub-read',
  'grub-read-custom',
  'hardware',
  'identify',
  'inventory',
  'inventory-details',
  'kmsg-dump',
  'kmsg-follow',
  'root-device',
  'suite-list',
  'module-identity',
  'package-log',
]);
/** Told by an event of its own once the machine has written the fence down. */
const CLAIM = 'fence-claim';
const KINDS: Record<string, ActionKind> = {
  clean: 'clean',
  'grub-remove': 'clean',
  'grub-select': 'select',
  reboot: 'reboot',
  modprobe: 'test',
  suite: 'test',
  'suite-kill': 'test',
  sysrq: 'test',
};

/**
 * A process that is frozen between asking its lease and acting does what it was about to do when it wakes up:
 * one action, within so much time. Virtual.
 */
const IN_FLIGHT_MS = 3_000;

/** What an event at a machine says that an attempt did; null = nothing that changes the machine. */
export function actionOf({ atMs, machine, event }: Truth): Action | null {
  const base = { atMs, machine };
  switch (event.type) {
    case 'claim':
      return { ...base, fence: event.fence, kind: 'claim', what: 'claim', restoring: false };
    case 'upload':
      return { ...base, fence: event.fence, kind: 'upload', what: `upload of ${event.path}`, restoring: false };
    case 'power': {
      const kind = event.action === 'reset' ? 'power' : 'disk';
      return { ...base, fence: event.fence, kind, what: `${kind} ${event.action}`, restoring: event.restoring };
    }
    case 'command': {
      if (READING.has(event.purpose) || event.purpose === CLAIM) return null;
      const kind = KINDS[event.purpose] ?? 'flash';
      return { ...base, fence: event.fence, kind, what: event.purpose, restoring: event.mode === 'not-higher' };
    }
    default:
      return null;
  }
}

/**
 * What an attempt did to its machine without the right to: work after its lease was released, restoring after a
 * newer attempt had begun there, anything after it had reported its end. A boot of its kernel is judged by
 * what newer attempts did before it: what made the machine boot is an action of its own.
 */
export function lateWork(
  { attempts, leases, truth }: Pick<Evidence, 'attempts' | 'leases' | 'truth'>,
  performance: Pick<Performance, 'agentFrozen'>,
): Finding[] {
  const promise = 'an attempt that lost its lease does no more work on the machine';
  const leased = new Map(leases.map((lease) => [lease.fence, lease]));
  const revoked = new Map(attempts.map((attempt) => [attempt.fence, attempt.revoked]));
  const fences = new Map(attempts.map(({ nonce, fence }) => [nonce, fence]));
  const findings: Finding[] = [];
  const begun = new Map<string, number>();
  const excused = new Set<string>();
  const find = (machine: string, what: string): void => void findings.push({ promise, detail: `${machine}: ${what}` });

  for (const seen of truth) {
    const { machine } = seen;
    const newest = begun.get(machine) ?? 0;
    if (seen.event.type === 'up' && seen.event.kernel === 'candidate') {
      const fence = fences.get(seen.nonce ?? '');
      if (fence !== undefined && fence < newest) {
        find(machine, `the kernel of fence ${fence} booted after work of fence ${newest}`);
      }
      continue;
    }
    const action = actionOf(seen);
    if (action === null) continue;
    const { fence, what, atMs } = action;
    if (fence === null) {
      find(machine, `${what} names no fence`);
      continue;
    }
    if (fence < newest) find(machine, `${what} of fence ${fence} after work of fence ${newest}`);
    if (!action.restoring) begun.set(machine, Math.max(newest, fence));
    const lease = leased.get(fence);
    if (lease === undefined || !revoked.has(fence)) {
      find(machine, `${what} of fence ${fence}, which no attempt has`);
      continue;
    }
    const lostMs = lease.released_ms;
    const mayRestore = revoked.get(fence) === true && (action.restoring || action.kind === 'claim');
    if (lostMs === null || atMs <= lostMs || (mayRestore && isRestoring(action, truth))) continue;
    const thawedMs = inFlight(atMs, lease, performance);
    const excuse = `${fence} ${thawedMs}`;
    if (thawedMs !== null && !excused.has(excuse)) {
      excused.add(excuse);
      continue;
    }
    const late = Math.round(atMs - lostMs);
    find(machine, `${what} of fence ${fence} ${late} virtual ms after it had lost its lease`);
  }
  return findings;
}

/**
 * When the agent woke up, if an action came so soon afterwards that it was under way before the lease was lost;
 * null when it was not. Virtual epoch milliseconds.
 */
export function inFlight(
  atMs: number,
  { released_ms: lostMs }: LeaseRow,
  { agentFrozen }: Pick<Performance, 'agentFrozen'>,
): number | null {
  if (lostMs === null || atMs <= lostMs) return null;
  const frozen = agentFrozen.find(({ fromMs, toMs }) => fromMs <= lostMs && lostMs <= toMs);
  return frozen !== undefined && atMs <= frozen.toMs + IN_FLIGHT_MS ? frozen.toMs : null;
}

/** A claim is part of a restoration when the disk that held the fence was thrown away before. */
function isRestoring({ kind, restoring, fence, atMs }: Action, truth: readonly Truth[]): boolean {
  if (restoring) return true;
  return (
    kind === 'claim' &&
    truth.some(
      ({ atMs: before, event }) =>
        before < atMs &&
        event.type === 'power' &&
        event.action === 'discard' &&
        event.restoring &&
        event.fence === fence,
    )
  );
}
