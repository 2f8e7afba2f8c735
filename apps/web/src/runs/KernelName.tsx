import { Link } from '@tanstack/react-router';
import { gitText, gitTitle, type TestedKernel } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { shortBuildId } from './evidence.js';

/**
 * A kernel: link to its build, release, and short build-id with the full one in the tooltip.
 * @param total of a build that is several kernels, one for each configuration of its machines
 */
export function KernelName({ kernel, total = 1 }: { kernel: TestedKernel; total?: number | undefined }): ReactNode {
  return (
    <>
      <Link to="/builds/$build" params={{ build: kernel.id }}>
        {kernel.name}
      </Link>{' '}
      <span className="muted kernel-id">
        {kernel.release !== null && <code>{kernel.release}</code>}{' '}
        {kernel.git !== null && <code title={gitTitle(kernel.git)}>{gitText(kernel.git)}</code>}{' '}
        <KernelId buildId={kernel.buildId} total={total} />
      </span>
    </>
  );
}

function KernelId({ buildId, total }: { buildId: string | null; total: number }): ReactNode {
  if (total > 1) return `${total} kernels, of the configurations of its machines`;
  return buildId === null ? 'never built' : <code title={buildId}>{shortBuildId(buildId)}</code>;
}
