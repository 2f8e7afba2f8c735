import type { HttpClient } from '@peerlab/client';
import type { RetentionPlan, RetentionView, StorageUse } from '@peerlab/contracts';
import { table } from '../render/text.js';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes in the largest binary unit that keeps the number at 1 or more: `812 B`, `3.9 MiB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** Runs retention, or with `dryRun` only plans it. Returns what was, or would be, removed as text. */
export async function runRetention(client: HttpClient, dryRun: boolean): Promise<string> {
  const plan = await client.call(dryRun ? 'planRetention' : 'runRetention', {});
  const { policy } = await client.call('getRetention', {});
  return renderPlan(plan, policy, dryRun);
}

/** Limits, pins and the newest deletions, as text. */
export async function showRetention(client: HttpClient): Promise<string> {
  return renderView(await client.call('getRetention', {}));
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
