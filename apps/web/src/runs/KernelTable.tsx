import { Link } from '@tanstack/react-router';
import type { AttemptDetail } from '@peerlab/contracts';
import type { ReactNode } from 'react';

const PHASE = {
  'default-before': 'default kernel, before',
  candidate: 'kernel under test',
  'default-after': 'default kernel, after',
} as const;

/** Which kernels the machine was seen running, and whether that is proven. */
export function KernelTable({ attempt: { kernels, build, buildId } }: { attempt: AttemptDetail }): ReactNode {
  if (kernels.length === 0) return null;
  return (
    <section aria-labelledby="kernels-head">
      <h2 id="kernels-head">Kernels seen on the machine</h2>
      <table className="list">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Proven</th>
            <th scope="col">Release</th>
            <th scope="col">Build-id</th>
            <th scope="col">Boot id</th>
            <th scope="col">Nonce</th>
          </tr>
        </thead>
        <tbody>
          {kernels.map((kernel, index) => (
            <tr key={index}>
              <td data-label="When">
                <span>
                  {PHASE[kernel.phase]}
                  {kernel.phase === 'candidate' && (
                    <>
                      :{' '}
                      <Link to="/builds/$build" params={{ build: buildId }}>
                        {build}
                      </Link>
                    </>
                  )}
                </span>
              </td>
              <td data-label="Proven">
                <span className={`badge tone-${kernel.proven ? 'good' : 'bad'}`}>
                  <span aria-hidden="true">{kernel.proven ? '✓' : '✗'}</span> {kernel.proven ? 'proven' : 'not proven'}
                </span>
                {kernel.detail !== null && <div className="muted">{kernel.detail}</div>}
              </td>
              <td data-label="Release">
                <code>{kernel.release}</code>
                {kernel.commandLine !== null && (
                  <details>
                    <summary>command line</summary>
                    <code>{kernel.commandLine}</code>
                  </details>
                )}
              </td>
              <td data-label="Build-id">
                <code title={kernel.buildId}>{kernel.buildId.slice(0, 12)}</code>
              </td>
              <td data-label="Boot id">
                <code title={kernel.bootId}>{kernel.bootId.slice(0, 8)}</code>
              </td>
              <td data-label="Nonce">
                {kernel.nonce === null ? (
                  <span className="muted">none</span>
                ) : (
                  <code title={kernel.nonce}>{kernel.nonce.slice(0, 8)}</code>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
