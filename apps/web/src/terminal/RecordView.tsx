import type { TerminalRecord } from '@peerlab/contracts';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { reservationApi } from '../api/reservations.js';
import { CopyButton } from '../ui/copy.js';
import { ErrorNotice } from '../ui/section.js';
import { isReadAloud, ReadAloud } from './ReadAloud.js';
import { Screen } from './screen.js';

/** The output of a terminal as it was when it ended, all at once. */
export function RecordView({ record, children }: { record: TerminalRecord; children: ReactNode }): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const tools = useRef<HTMLDivElement>(null);
  const screen = useRef<Screen | null>(null);
  const [progress, setProgress] = useState<'reading' | 'shown' | Error>('reading');
  const { id, machine, kind, columns, removedBytes } = record;
  useEffect(() => {
    if (place.current === null) return undefined;
    const shown = new Screen(place.current, {
      label: `Recorded ${kind} of ${machine}`,
      isReadAloud: isReadAloud(),
      onText: null,
      onLeave: () => tools.current?.querySelector('button')?.focus(),
      ...(kind === 'shell' ? { columns } : {}),
    });
    screen.current = shown;
    const aborter = new AbortController();
    show(id, shown, aborter.signal).then(
      () => setProgress('shown'),
      (error: unknown) => {
        if (!aborter.signal.aborted) setProgress(error instanceof Error ? error : new Error(String(error)));
      },
    );
    return () => {
      aborter.abort();
      shown.dispose();
      screen.current = null;
    };
  }, [id, machine, kind, columns]);
  return (
    <div className="terminal-view">
      <div ref={tools} className="terminal-tools">
        <CopyButton text={() => screen.current?.text() ?? ''} label="copy what is selected, or all that is kept here">
          Copy
        </CopyButton>
        {children}
        <ReadAloud onChange={(isOn) => screen.current?.readAloud(isOn)} />
        <p role="status">{progress === 'reading' ? 'reading…' : ''}</p>
      </div>
      {progress instanceof Error && <ErrorNotice error={progress} />}
      {removedBytes > 0 && <p className="notice notice-warn">The beginning is gone: the last part is kept.</p>}
      <div ref={place} className="terminal-place terminal-wide" />
    </div>
  );
}

/** Draws piece by piece: the next one is fetched when this one is drawn. */
async function show(terminal: string, screen: Screen, signal: AbortSignal): Promise<void> {
  const stream = await reservationApi.file('getTerminalOutput', { params: { terminal } }, signal);
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done || signal.aborted) return;
    await new Promise<void>((resolve) => screen.write(value, resolve));
  }
}
