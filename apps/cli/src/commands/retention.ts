import { RETENTION_DELETIONS_MAX, type RetentionPlan, type RetentionView, type StorageUse } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { shortId, table } from '../render/text.js';
import { runId } from '../short-id.js';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes in the largest binary unit that keeps the number at 1 or more: `812 B`, `3.9 MiB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** What would be removed now. */
export async function planRetention({ api }: Context): Promise<Answer> {
  const [plan, { policy }] = await Promise.all([api.call('planRetention', {}), api.call('getRetention', {})]);
  return { data: plan, text: renderPlan(plan, policy, true) };
}

/** Removes what the next pass would remove. Throws a UsageError unless the caller said yes: it is gone for good. */
export async function runRetention({ api }: Context, isConfirmed: boolean): Promise<Answer> {
  if (!isConfirmed)
    throw new UsageError('"retention run" removes evidence for good: look at "retention plan", then repeat with --yes');
  const plan = await api.call('runRetention', {});
  const { policy } = await api.call('getRetention', {});
  return { data: plan, text: renderPlan(plan, policy, false) };
}

/** Limits, pins and the newest deletions. */
export async function showRetention({ api }: Context): Promise<Answer> {
  const view = await api.call('getRetention', {});
  return { data: view, text: renderView(view) };
}

/** Keeps a run with its evidence, or no longer. */
export async function pinRun(
  { api }: Context,
  run: string,
  pinned: boolean,
  reason: string | undefined,
): Promise<Answer> {
  const id = await runId(api, run);
  const body = { pinned, ...(reason === undefined ? {} : { reason }) };
  const data = await api.call('pinRun', { params: { run: id }, body });
  const says = pinned ? 'is kept with its logs, results and bundles' : 'is no longer pinned';
  return { data, text: `run ${shortId(id)} ${says}` };
}

export function renderPlan(plan: RetentionPlan, policy: RetentionView['policy'], dryRun: boolean): string {
  const { removals } = plan;
  const freed = removals.reduce((sum, { bytes }) => sum + bytes, 0);
  const rows = removals.map(({ kind, subject, name, lastUsedAt, why, lines, bytes }) => [
    kind,
    subject.slice(0, 36),
    lastUsedAt,
    why,
    kind === 'artifact' ? '' : String(lines),
    bytesText(bytes),
    name,
  ]);
  const verb = dryRun ? 'would be removed' : 'removed';
  return [
    ...storageLines(plan.use, policy, plan.level),
    ...(rows.length === 0 ? [] : ['', table([['WHAT', 'ID', 'LAST USED', 'WHY', 'LINES', 'BYTES', 'NAME'], ...rows])]),
    '',
    `${removals.length} ${verb}, ${bytesText(freed)}; used afterwards: ${bytesText(plan.usedBytesAfter)}`,
  ].join('\n');
}

export function renderView({ use, policy, level, pins, deletions }: RetentionView): string {
  const keep = (['user', 'webhook'] as const).map(
    (kind) => `runs by ${kind}: logs ${policy[kind].logDays} days, results ${policy[kind].resultDays} days`,
  );
  return [
    ...storageLines(use, policy, level),
    ...keep,
    `artifacts: ${policy.artifactDays} days after their last use`,
    ...(pins.length === 0
      ? []
      : [
          '',
          table([['PINNED RUN', 'BY', 'REASON', 'NAME'], ...pins.map((p) => [p.run, p.by, p.reason ?? '', p.name])]),
        ]),
    ...(deletions.length === 0
      ? []
      : [
          '',
          table([
            ['REMOVED', 'WHAT', 'ID', 'WHY', 'BYTES', 'NAME'],
            ...deletions.map((d) => [d.removedAt, d.kind, d.subject.slice(0, 36), d.why, bytesText(d.bytes), d.name]),
          ]),
          ...(deletions.length < RETENTION_DELETIONS_MAX
            ? []
            : [`the newest ${RETENTION_DELETIONS_MAX} removals; older ones are not listed`]),
        ]),
  ].join('\n');
}

function storageLines(use: StorageUse, policy: RetentionView['policy'], level: RetentionPlan['level']): string[] {
  const state = {
    ok: 'below the soft limit',
    soft: 'above the soft limit: the oldest evidence goes',
    full: 'full: new runs are refused',
  }[level];
  return [
    `${bytesText(use.usedBytes)} used (logs ${bytesText(use.logBytes)}, artifacts ${bytesText(use.artifactBytes)}, results and the rest ${bytesText(use.otherBytes)}): ${state}`,
    `soft limit ${bytesText(policy.softBytes)}, hard limit ${bytesText(policy.hardBytes)}; ${bytesText(use.freeBytes)} free on the disk, ${bytesText(policy.freeBytes)} wanted`,
  ];
}
