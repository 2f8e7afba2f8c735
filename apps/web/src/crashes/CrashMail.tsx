import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { crashMailQuery } from '../api/crashes.js';
import { CopyButton } from '../ui/copy.js';
import { QuerySection } from '../ui/section.js';

/** A report for a mailing list, fetched when it is opened. */
export function CrashMail({ attempt, crash, role }: { attempt: string; crash: string; role: string }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const query = useQuery({ ...crashMailQuery(attempt, crash, role), enabled: isOpen });
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Report for a mailing list</summary>
      {isOpen && (
        <QuerySection query={query} what="the report">
          {({ subject, body }) => (
            <>
              <p className="row">
                <strong>{subject}</strong>
                <CopyButton text={`Subject: ${subject}\n\n${body}`} label="Copy the report with its subject">
                  Copy
                </CopyButton>
              </p>
              <pre className="crash-mail" tabIndex={0}>
                {body}
              </pre>
            </>
          )}
        </QuerySection>
      )}
    </details>
  );
}
