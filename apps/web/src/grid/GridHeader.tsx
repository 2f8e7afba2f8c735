import { Link } from '@tanstack/react-router';
import {
  bootsStanding,
  bootText,
  cpuFamilyName,
  gitText,
  gitTitle,
  pairText,
  type GridColumn,
  type HardwareIdentity,
} from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Ago } from '../ui/time.js';
import { PathChip, StateBadge } from '../ui/verdict.js';
import type { ColumnGroup } from './model.js';
import { PickHardware } from './PickHardware.js';
import { RoleList, rolesText } from './RoleList.js';
import { WIDE_COLUMNS, type ColumnWindow } from './window.js';

/** Two header rows: hardware combinations, merged, and below each the kernel builds tried on it. */
export function GridHeader({
  columns,
  bootsOf,
  groups,
  showRun,
  dense,
  shown,
}: {
  columns: readonly GridColumn[];
  /** The boots that a column stands for. */
  bootsOf: (column: number) => readonly GridColumn[];
  groups: readonly ColumnGroup[];
  showRun: boolean;
  dense: boolean;
  shown: ColumnWindow;
}): ReactNode {
  if (dense) return <DenseHeader columns={columns} bootsOf={bootsOf} groups={groups} shown={shown} />;
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
                  <Build column={column} boots={bootsTextOf(column, bootsOf(index))} showRun={showRun} />
                </th>
              )
            );
          }),
        )}
      </tr>
    </thead>
  );
}

/** The header of a dense grid: one upright word for each build, and for each combination where it has little room; the rest is in its tooltip and in the evidence. */
function DenseHeader({
  columns,
  bootsOf,
  groups,
  shown: { fromColumn, toColumn },
}: {
  columns: readonly GridColumn[];
  bootsOf: (column: number) => readonly GridColumn[];
  groups: readonly ColumnGroup[];
  shown: ColumnWindow;
}): ReactNode {
  const before = fromColumn === 0 ? null : <td colSpan={fromColumn} aria-hidden="true" />;
  const after = toColumn === columns.length ? null : <td colSpan={columns.length - toColumn} aria-hidden="true" />;
  const isUpright = columns.length > WIDE_COLUMNS || groups.some((group) => group.columns.length === 1);
  return (
    <thead>
      <tr className={isUpright ? 'dense-combinations dense-upright' : 'dense-combinations'}>
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
                <PickHardware
                  combination={combination}
                  build={columns[own.at(-1) ?? 0]?.build.id ?? ''}
                  isTabStop={columns.length <= WIDE_COLUMNS}
                >
                  <span className={isUpright ? 'upright' : 'level'}>
                    {columns[own[0] ?? -1]?.roles?.map(({ machine }) => machine ?? '?').join(' ⇄ ') ?? (
                      <>
                        {machines[0] ?? combination.identity.provider}
                        {machines.length > 1 && ` +${machines.length - 1}`}
                      </>
                    )}
                  </span>
                </PickHardware>
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
          const work = workText(column);
          const boots = bootsTextOf(column, bootsOf(fromColumn + index));
          const isStart = groups.some(({ columns: own }) => own[0] === fromColumn + index);
          return (
            <th
              key={fromColumn + index}
              scope="col"
              title={columnTitle(column, boots)}
              aria-colindex={fromColumn + index + 2}
              className={`${isStart ? 'group-start' : ''} ${work === null ? '' : 'column-busy'}`}
            >
              <Link to="/builds/$build" params={{ build: build.id }} className="upright" tabIndex={-1}>
                {work !== null && <span aria-hidden="true">◐ </span>}
                {boots !== null && <span className="muted">{shortBoots(column, bootsOf(fromColumn + index))} </span>}
                {column.roles?.map((role) => role.build.name).join(' ⇄ ') ?? build.name}
                {build.aliases.length > 0 && <span className="muted"> +{build.aliases.length}</span>}
              </Link>
              {work !== null && <span className="unseen">, {work}</span>}
            </th>
          );
        })}
        {after}
      </tr>
    </thead>
  );
}

/** What a column's own job, or a later one of its kind, does now; null when nothing goes on. */
function workText({ state, busy, runName }: GridColumn): string | null {
  if (state !== 'ended') return `the job is ${state}, run ${runName}`;
  return busy === null ? null : `busy: a later job is ${busy.state}, run ${busy.runName}`;
}

/** Which boot of a run with `repeat` a column is, or how the boots that it stands for are; null without `repeat`. */
function bootsTextOf(column: GridColumn, boots: readonly GridColumn[]): string | null {
  if (column.boot === null) return null;
  return boots.length > 1 ? bootsStanding(boots) : bootText(column.boot);
}

/** The same where one word fits: `×5`, `#2`. */
function shortBoots({ boot }: GridColumn, boots: readonly GridColumn[]): string {
  return boots.length > 1 ? `×${boots.length}` : `#${boot?.number ?? ''}`;
}

/** All that a narrow header has no room for. */
function columnTitle(column: GridColumn, boots: string | null): string {
  const { build, at } = column;
  const work = workText(column);
  return [
    `${build.name}, ${build.release ?? 'release unknown'}`,
    ...(build.git === null ? [] : [gitTitle(build.git)]),
    ...(boots === null ? [] : [boots]),
    ...(build.buildId === null ? [] : [`build-id ${build.buildId}`]),
    ...(column.roles !== undefined
      ? rolesText(column.roles)
      : column.pair === null
        ? []
        : [`${column.machine ?? ''} ${pairText(column.pair)}`]),
    ...(build.aliases.length === 0 ? [] : [`the same kernel as ${build.aliases.join(', ')}`]),
    ...(build.features?.length ? [`has ${build.features.join(', ')}`] : []),
    ...(at === null ? [] : [new Date(at).toLocaleString()]),
    ...(work === null ? [] : [work]),
  ].join('\n');
}

function Combination({ group: { combination, machines } }: { group: ColumnGroup }): ReactNode {
  const { identity } = combination;
  const { role = '', peers = [] } = identity;
  return (
    <div className="combination-box" title={`${combination.label}\n${combination.hash.slice(0, 12)}`}>
      <span className="row tight">
        {peers.length === 0 && <PathChip kind={identity.pathKind} />}
        {machines.map((machine) => (
          <Link key={machine} to="/machines/$machine" params={{ machine }}>
            {machine}
          </Link>
        ))}
      </span>
      {peers.length === 0 ? (
        <span className="muted">{hardwareLabel(identity)}</span>
      ) : (
        [{ ...identity, role }, ...peers].map((side) => (
          <span key={side.role} className="row tight muted">
            <strong>{side.role}</strong> <PathChip kind={side.pathKind} /> {hardwareLabel(side)}
          </span>
        ))
      )}
    </div>
  );
}

function hardwareLabel({ provider, client, platform }: HardwareIdentity): string {
  const iommu = platform.iommu === 'none' ? '' : ` · IOMMU ${platform.iommu}`;
  return `${provider} → ${client} · ${cpuFamilyName(platform.cpuVendor, platform.cpuFamily)}${iommu}`;
}

function Build({ column, boots, showRun }: { column: GridColumn; boots: string | null; showRun: boolean }): ReactNode {
  const { build, state, busy } = column;
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
        {busy !== null && <StateBadge state="busy" title={workText(column) ?? ''} />}
      </span>
      {build.aliases.length > 0 && (
        <span className="muted" title="other names of the same kernel, by its build-id">
          also {build.aliases.join(', ')}
        </span>
      )}
      <span className="muted">{build.release ?? 'release unknown'}</span>
      {build.git !== null && (
        <span className="muted" title={gitTitle(build.git)}>
          {gitText(build.git)}
        </span>
      )}
      {boots !== null && <span>{boots}</span>}
      {column.roles !== undefined && <RoleList roles={column.roles} />}
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
