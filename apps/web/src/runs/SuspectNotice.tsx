import { Link } from '@tanstack/react-router';
import type { Suspect } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Ago } from '../ui/time.js';

/** Says of results that their machine turned out sick after they came; nothing where none did. */
export function SuspectNotice({ suspects }: { suspects: readonly Suspect[] }): ReactNode {
  return suspects.map(({ machine, reason, at, goodAt, checkRun, requeuedAs }) => (
    <p key={machine} className="notice notice-warn">
      <strong>Suspect:</strong>{' '}
      <Link to="/machines/$machine" params={{ machine }}>
        {machine}
      </Link>{' '}
      failed{' '}
      {checkRun === null ? (
        'a health check'
      ) : (
        <Link to="/runs/$run" params={{ run: checkRun }}>
          a health check
        </Link>
      )}{' '}
      <Ago at={at} /> ({reason}), after this ran.{' '}
      {goodAt === null ? (
        'It had never passed one.'
      ) : (
        <>
          It had passed one last <Ago at={goodAt} />.
        </>
      )}{' '}
      {requeuedAs !== null && (
        <Link to="/runs/$run" params={{ run: requeuedAs }}>
          The job was submitted again.
        </Link>
      )}
    </p>
  ));
}
