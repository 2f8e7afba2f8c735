import type { TerminalKind } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { StateBadge } from '../ui/verdict.js';
import type { SessionState } from './session.js';

/** What the terminal does now, and what can be done about it. */
export function SessionLine({
  kind,
  state,
  isClosed,
  onAgain,
}: {
  kind: TerminalKind;
  state: SessionState;
  /** Another one cannot be opened now. */
  isClosed: boolean;
  onAgain: () => void;
}): ReactNode {
  const isOver = state.name === 'refused' || state.name === 'ended' || state.name === 'lost';
  return (
    <div className="terminal-state">
      <p role="status">
        <StateBadge state={state.name === 'open' ? 'connected' : state.name} /> {stateText(kind, state)}
      </p>
      {isOver && !isClosed && (
        <button type="button" className={state.name === 'lost' && state.isRetried ? '' : 'primary'} onClick={onAgain}>
          {againText(kind, state)}
        </button>
      )}
    </div>
  );
}

/** A sentence for people; empty where the word says it all. */
export function stateText(kind: TerminalKind, state: SessionState): string {
  switch (state.name) {
    case 'connecting':
    case 'open':
      return '';
    case 'refused':
    case 'ended':
      return sentence(state.reason);
    case 'lost':
      if (state.isRetried) return `${sentence(state.reason)} It is tried again by itself.`;
      return `${sentence(state.reason)}${kind === 'shell' ? ' The shell ended with it.' : ''}`;
  }
}

function againText(kind: TerminalKind, state: SessionState): string {
  if (state.name === 'refused' || (state.name === 'lost' && state.isRetried)) return 'Try now';
  return kind === 'shell' ? 'Open a new shell' : 'Connect again';
}

const sentence = (reason: string): string =>
  `${reason.charAt(0).toUpperCase()}${reason.slice(1)}${/[.!?]$/.test(reason) ? '' : '.'}`;
