import { Link } from '@tanstack/react-router';
import { gitText, gitTitle, type TestedKernel } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { shortBuildId } from './evidence.js';

/** A kernel: link to its build, release, and short build-id with the full one in the tooltip. */
export function KernelName({ kernel }: { kernel: TestedKernel }): ReactNode {
  return (
    <>
      <Link to="/builds/$build" params={{ build: kernel.id }}>
        {kernel.name}
      </Link>{' '}
      <span className="muted kernel-id">
        {kernel.release !== null && <code>{kernel.release}</code>}{' '}
        {kernel.git !== null && <code title={gitTitle(kernel.git)}>{gitText(kernel.git)}</code>}{' '}
        {kernel.buildId === null ? 'never built' : <code title={kernel.buildId}>{shortBuildId(kernel.buildId)}</code>}
      </span>
    </>
  );
}
