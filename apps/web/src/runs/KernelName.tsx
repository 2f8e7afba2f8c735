import { Link } from '@tanstack/react-router';
import type { TestedKernel } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { shortBuildId } from './evidence.js';

/** A kernel by the name of its build (a link to it), its release and its short build-id (whole on hover). */
export function KernelName({ kernel }: { kernel: TestedKernel }): ReactNode {
  return (
    <>
      <Link to="/builds/$build" params={{ build: kernel.id }}>
        {kernel.name}
      </Link>{' '}
      <span className="muted kernel-id">
        {kernel.release !== null && <code>{kernel.release}</code>}{' '}
        {kernel.buildId === null ? 'never built' : <code title={kernel.buildId}>{shortBuildId(kernel.buildId)}</code>}
      </span>
    </>
  );
}
