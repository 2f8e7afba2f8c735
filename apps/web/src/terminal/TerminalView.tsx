import type { TerminalKind } from '@peerlab/contracts';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { askForToken, getToken } from '../api/token.js';
import { CopyButton } from '../ui/copy.js';
import { bytesText } from '../ui/numbers.js';
import { KeyRow, type Key } from './KeyRow.js';
import { bytesOfKeys, PASTE_MAX_BYTES } from './paste.js';
import { isReadAloud, ReadAloud } from './ReadAloud.js';
import { Screen } from './screen.js';
import { TerminalSession, type SessionState } from './session.js';
import { SessionLine } from './SessionLine.js';

/** Output that a page out of sight takes before it draws it, in bytes: browsers let it draw once a minute. */
const UNSEEN_MAX_BYTES = 8 * 1024 * 1024;
/** What stands where a console was opened again. */
const AGAIN =
  '\u001b[?1049l\u001b[!p\r\n\u001b[7m connected again; what follows begins with the last lines \u001b[0m\r\n';

/** A terminal of a machine, from when it is shown until the page is left. */
export function TerminalView({
  machine,
  kind,
  isClosed,
}: {
  machine: string;
  kind: TerminalKind;
  /** Another one cannot be opened now. */
  isClosed: boolean;
}): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const tools = useRef<HTMLDivElement>(null);
  const screen = useRef<Screen | null>(null);
  const session = useRef<TerminalSession | null>(null);
  const [state, setState] = useState<SessionState>({ name: 'connecting' });
  const [refusal, setRefusal] = useState<string | null>(null);
  useEffect(() => {
    if (place.current === null) return undefined;
    const isShell = kind === 'shell';
    const send = (bytes: Uint8Array<ArrayBuffer>): void => {
      const isSent = session.current?.type(bytes) === true;
      setRefusal(isSent ? null : 'Not sent: no terminal is open, or the machine does not take more yet.');
    };
    const shown = new Screen(place.current, {
      label: `${isShell ? 'Shell' : 'Console'} of ${machine}`,
      isReadAloud: isReadAloud(),
      onText: isShell ? (text) => send(new TextEncoder().encode(text)) : null,
      onKeys: (keys) => send(bytesOfKeys(keys)),
      onResize: (size) => session.current?.resize(size),
      onLeave: () => tools.current?.querySelector('button')?.focus(),
      onPasteRefused: () => setRefusal(`Not pasted: it is longer than ${bytesText(PASTE_MAX_BYTES)}.`),
    });
    let wasOpen = false;
    const opened = new TerminalSession({
      url: location.origin,
      machine,
      kind,
      token: getToken,
      size: () => shown.size,
      WebSocket,
      onOutput: (data, drawn) => shown.write(data, drawn),
      onState: (next) => {
        setState(next);
        if (next.name === 'open') {
          if (wasOpen && isShell) shown.reset();
          else if (wasOpen) shown.write(AGAIN);
          else shown.focus();
          wasOpen = true;
        }
        if (next.name === 'refused' && next.code === 'unauthorized') void signIn(opened);
      },
      allowance: () => (document.hidden ? UNSEEN_MAX_BYTES : 0),
    });
    screen.current = shown;
    session.current = opened;
    const onVisibility = (): void => opened.allowanceChanged();
    document.addEventListener('visibilitychange', onVisibility);
    opened.connect();
    return () => {
      document.removeEventListener('visibilitychange', onVisibility);
      opened.close();
      shown.dispose();
      session.current = null;
      screen.current = null;
    };
  }, [machine, kind]);
  const press = (key: Key): void => {
    const sends = 'arrow' in key ? screen.current?.arrow(key.arrow) : key.sends;
    session.current?.type(new TextEncoder().encode(sends));
    screen.current?.focus();
  };
  return (
    <div className={`terminal-view terminal-${state.name}`}>
      <div ref={tools} className="terminal-tools">
        <CopyButton text={() => screen.current?.text() ?? ''} label="copy what is selected, or all that is kept here">
          Copy
        </CopyButton>
        <ReadAloud onChange={(isOn) => screen.current?.readAloud(isOn)} />
        <SessionLine kind={kind} state={state} isClosed={isClosed} onAgain={() => session.current?.connect()} />
      </div>
      <div ref={place} className="terminal-place" />
      {kind === 'shell' && <KeyRow isReady={state.name === 'open'} onKey={press} />}
      <p role="status" className="terminal-refusal">
        {refusal}
      </p>
    </div>
  );
}

/** Asks for another token, and opens the terminal with it. */
async function signIn(session: TerminalSession): Promise<void> {
  if (await askForToken(getToken() === null ? 'missing' : 'refused')) session.connect();
}
