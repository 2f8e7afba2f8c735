import { Link } from '@tanstack/react-router';
import { pairText, type TestedRole } from '@peerlab/contracts';
import type { ReactNode } from 'react';

/** What each role of a column boots, where, and with which devices. */
export function RoleList({ roles }: { roles: readonly TestedRole[] }): ReactNode {
  return (
    <ul className="roles" aria-label="Roles">
      {roles.map(({ role, machine, pair, build }) => (
        <li key={role}>
          <strong>{role}</strong>{' '}
          <Link to="/builds/$build" params={{ build: build.id }} title={build.release ?? 'release unknown'}>
            {build.name}
          </Link>
          {machine === null ? (
            <span className="muted"> on any machine</span>
          ) : (
            <>
              {' on '}
              <Link to="/machines/$machine" params={{ machine }}>
                {machine}
              </Link>
            </>
          )}
          {pair !== null && <span className="muted"> {pairText(pair)}</span>}
        </li>
      ))}
    </ul>
  );
}

/** The same in one line for each, where only text fits. */
export const rolesText = (roles: readonly TestedRole[]): string[] =>
  roles.map(
    ({ role, machine, pair, build }) =>
      `${role}: ${build.name} on ${machine ?? 'any machine'}${pair === null ? '' : `, ${pairText(pair)}`}`,
  );
