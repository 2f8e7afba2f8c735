import { Link } from '@tanstack/react-router';
import { gitText, gitTitle, type KernelColumn } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { shortBuildId } from '../runs/evidence.js';
import { Ago, exactText } from '../ui/time.js';
import type { GridFrame } from './rows.js';
import type { KernelGroup } from './kernel-model.js';
import { featuresText } from './kernel-model.js';

/** With more kernels than this, their names are written upright. */
export const ROOMY_KERNELS = 8;

/** Two header rows: names of builds, merged, and below each its kernels, newest first. */
export function KernelHeader({
  columns,
  groups,
  reference,
  dense,
  shown: { fromColumn, toColumn },
}: GridFrame & {
  columns: readonly KernelColumn[];
  groups: readonly KernelGroup[];
  /** Column that the others' metrics are compared with. */
  reference: number | null;
}): ReactNode {
  const before = fromColumn === 0 ? null : <td colSpan={fromColumn} aria-hidden="true" />;
  const after = toColumn === columns.length ? null : <td colSpan={columns.length - toColumn} aria-hidden="true" />;
  const isUpright = dense || columns.length > ROOMY_KERNELS;
  return (
    <thead className={isUpright ? 'kernels kernels-upright' : 'kernels'}>
      <tr className="kernel-names">
        <th rowSpan={2} scope="col" className="corner">
          Test
        </th>
        {before}
        {groups.map(({ name, columns: own }) => {
          const drawn = own.filter((column) => column >= fromColumn && column < toColumn).length;
          return (
            drawn > 0 && (
              <th key={own[0]} scope="colgroup" colSpan={drawn} className="group-start" title={name}>
                <GroupName
                  name={name}
                  kernels={own.flatMap((column) => columns[column] ?? [])}
                  isSmall={isUpright && drawn < 4}
                />
              </th>
            )
          );
        })}
        {after}
      </tr>
      <tr className="kernel-ids">
        {before}
        {groups.flatMap(({ columns: own }) =>
          own
            .filter((column) => column >= fromColumn && column < toColumn)
            .map((column) => {
              const kernel = columns[column];
              return (
                kernel !== undefined && (
                  <th
                    key={kernel.key}
                    scope="col"
                    aria-colindex={column + 2}
                    className={column === own[0] ? 'group-start' : ''}
                    title={kernelTitle(kernel)}
                  >
                    <Kernel kernel={kernel} isStop={!isUpright} isReference={column === reference} />
                  </th>
                )
              );
            }),
        )}
        {after}
      </tr>
    </thead>
  );
}

function GroupName({
  name,
  kernels,
  isSmall,
}: {
  name: string;
  kernels: readonly KernelColumn[];
  isSmall: boolean;
}): ReactNode {
  const bases = new Set(kernels.map(({ baseVersion }) => baseVersion));
  const [base] = bases;
  return (
    <span className={isSmall ? 'upright' : 'kernel-group'}>
      <span className="strong">{name}</span>{' '}
      {!isSmall && (
        <span className="muted">
          {kernels.length === 1 ? '1 kernel' : `${kernels.length} kernels`}
          {bases.size === 1 && ` on ${base}`}
        </span>
      )}
    </span>
  );
}

function Kernel({
  kernel,
  isStop,
  isReference,
}: {
  kernel: KernelColumn;
  isStop: boolean;
  isReference: boolean;
}): ReactNode {
  return (
    <div className="kernel-box">
      <span className="row tight">
        <Link
          to="/builds/$build"
          params={{ build: kernel.build.id }}
          tabIndex={isStop ? undefined : -1}
          aria-label={`kernel ${shortBuildId(kernel.buildId)}, ${kernel.release}`}
        >
          <code>{shortBuildId(kernel.buildId)}</code>
        </Link>
        {isReference && (
          <span className="chip kernel-reference" title="metrics are compared with those of this kernel">
            <span aria-hidden="true">= 1×</span>
            <span className="unseen">metrics are compared with those of this kernel</span>
          </span>
        )}
      </span>
      <span className="kernel-release">{kernel.release}</span>
      {kernel.git !== null && <span className="kernel-release">{gitText(kernel.git)}</span>}
      <span className="muted">{kernel.testedAt === null ? 'not summarised yet' : <Ago at={kernel.testedAt} />}</span>
    </div>
  );
}

function kernelTitle({
  build,
  release,
  buildId,
  git,
  patches,
  builtAt,
  run,
  combinations,
  features,
}: KernelColumn): string {
  return [
    `${build.name}: ${release}, ${patches === 1 ? '1 patch' : `${patches} patches`}`,
    `build-id ${buildId}`,
    ...(git === null ? [] : [gitTitle(git)]),
    featuresText(features),
    `built ${exactText(Date.parse(builtAt))}, tested on ${combinations === 1 ? '1 combination' : `${combinations} combinations`}`,
    `newest run: ${run.name}`,
  ].join('\n');
}
