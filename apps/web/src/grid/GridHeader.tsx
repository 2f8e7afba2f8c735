import { Link } from '@tanstack/react-router';
import type { GridColumn } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Ago } from '../ui/time.js';
import { PathChip, StateBadge } from '../ui/verdict.js';
import type { ColumnGroup } from './model.js';
import { PickHardware } from './PickHardware.js';
import type { ColumnWindow } from './window.js';

/** Two header rows: hardware combinations, merged, and below each the kernel builds tried on it. */
export function GridHeader({
  columns,
  groups,
  showRun,
  dense,
  shown,
}: {
  columns: readonly GridColumn[];
  groups: readonly ColumnGroup[];
  showRun: boolean;
  dense: boolean;
  shown: ColumnWindow;
}): ReactNode {
  if (dense) return <DenseHeader columns={columns} groups={groups} shown={shown} />;
  return (
    <thead>
      <tr>
        <th rowSpan={2} scope="col" className="corner">
          Test
        </th>
        {groups.map((group) => (
          <th
            key={`${group.combination.hash}-${group.columns[0]}`}
            scope="colgroup"
            colSpan={group.columns.length}
            className="combination group-start"
          >
            <Combination group={group} />
            {groups.length > 1 && (
              <PickHardware
                combination={group.combination}
                build={columns[group.columns.at(-1) ?? 0]?.build.id ?? ''}
              />
            )}
          </th>
        ))}
      </tr>
      <tr>
        {groups.flatMap((group) =>
          group.columns.map((index, place) => {
            const column = columns[index];
            return (
              column !== undefined && (
                <th key={index} scope="col" className={place === 0 ? 'build group-start' : 'build'}>
                  <Build column={column} showRun={showRun} />
                </th>
              )
            );
          }),
        )}
      </tr>
    </thead>
  );
}

/** The header of a dense grid: one upright word for each column; the rest is in its tooltip and in the evidence. */
function DenseHeader({
  columns,
  groups,
  shown: { fromColumn, toColumn },
}: {
  columns: readonly GridColumn[];
  groups: readonly ColumnGroup[];
  shown: ColumnWindow;
}): ReactNode {
  const before = fromColumn === 0 ? null : <td colSpan={fromColumn} aria-hidden="true" />;
  const after = toColumn === columns.length ? null : <td colSpan={columns.length - toColumn} aria-hidden="true" />;
  return (
    <thead>
      <tr className="dense-combinations">
        <th rowSpan={2} scope="col" className="corner">
          Test
        </th>
        {before}
        {groups.map(({ combination, columns: own, machines }) => {
          const drawn = own.filter((column) => column >= fromColumn && column < toColumn).length;
          return (
            drawn > 0 && (
              <th
                key={`${combination.hash}-${own[0]}`}
                scope="colgroup"
                colSpan={drawn}
                className={`group-start path-${combination.identity.pathKind}`}
                title={`${combination.label}\n${machines.join(', ')}\n${combination.hash.slice(0, 12)}`}
              >
                <span className="upright">
                  {machines[0] ?? combination.identity.provider}
                  {machines.length > 1 && ` +${machines.length - 1}`}
                </span>
                <span className="unseen">
                  {combination.identity.pathKind}, {combination.identity.provider} to {combination.identity.client}
                </span>
              </th>
            )
          );
        })}
        {after}
      </tr>
      <tr className="dense-builds">
        {before}
        {columns.slice(fromColumn, toColumn).map((column, index) => {
          const { build } = column;
          const title = `${build.name}, ${build.release ?? 'release unknown'}${column.at === null ? '' : `\n${new Date(column.at).toLocaleString()}`}`;
          return (
            <th key={fromColumn + index} scope="col" title={title} aria-colindex={fromColumn + index + 2}>
              <Link to="/builds/$build" params={{ build: build.id }} className="upright" tabIndex={-1}>
                {build.name}
              </Link>
            </th>
          );
        })}
        {after}
      </tr>
    </thead>
  );
}

function Combination({ group: { combination, machines } }: { group: ColumnGroup }): ReactNode {
  const { identity } = combination;
  const { platform } = identity;
  const vendor = { AuthenticAMD: 'AMD', GenuineIntel: 'Intel' }[platform.cpuVendor] ?? platform.cpuVendor;
  return (
    <div className="combination-box" title={`${combination.label}\n${combination.hash.slice(0, 12)}`}>
      <span className="row tight">
        <PathChip kind={identity.pathKind} />
        {machines.map((machine) => (
          <Link key={machine} to="/machines/$machine" params={{ machine }}>
            {machine}
          </Link>
        ))}
      </span>
      <span className="muted">
        {identity.provider} → {identity.client} · {vendor} 0x{platform.cpuFamily.toString(16)}
        {platform.iommu !== 'none' && ` · IOMMU ${platform.iommu}`}
      </span>
    </div>
  );
}

function Build({ column, showRun }: { column: GridColumn; showRun: boolean }): ReactNode {
  const { build, state } = column;
  const features = build.features?.map((feature) => (
    <span key={feature} className="chip chip-good" title="what this kernel can do that the base cannot">
      ✓ {feature}
    </span>
  ));
  return (
    <div className="build-box" title={build.buildId === null ? undefined : `build-id ${build.buildId}`}>
      <span className="row tight">
        <Link to="/builds/$build" params={{ build: build.id }} title="the kernel: its series, config and digests">
          {build.name}
        </Link>
        {state !== 'ended' && <StateBadge state={state} />}
      </span>
      <span className="muted">{build.release ?? 'release unknown'}</span>
      {features}
      <span className="muted">
        <Ago at={column.at} />
        {column.attemptId !== null && (
          <>
            {' · '}
            <Link to="/attempts/$attempt" params={{ attempt: column.attemptId }}>
              attempt
            </Link>
          </>
        )}
        {showRun && (
          <>
            {' · '}
            <Link to="/runs/$run" params={{ run: column.runId }} title={column.runName}>
              run
            </Link>
          </>
        )}
      </span>
    </div>
  );
}
