import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { MachineView, TerminalKind } from '@peerlab/contracts';
import { lazy, Suspense, useState, type ReactNode } from 'react';
import { machineQuery } from '../api/fleet.js';
import { useIdentity } from '../api/identity.js';
import { useTopics } from '../api/live-context.js';
import { askForToken } from '../api/token.js';
import { ReservationControls, ReservedLine } from '../fleet/Reservation.js';
import { KEY_MAP } from '../keys.js';
import { whenThere } from '../lazy-page.js';
import { closedShell, type Closed } from '../terminal/gate.js';
import { Empty, Loading, QuerySection, useTitle } from '../ui/section.js';

const TerminalView = lazy(
  whenThere(async () => ({ default: (await import('../terminal/TerminalView.js')).TerminalView })),
);
const consoleRoute = getRouteApi('/machines/$machine/console');
const shellRoute = getRouteApi('/machines/$machine/shell');

/** The serial console of a machine, to be looked at. */
export function ConsolePage(): ReactNode {
  return <TerminalPage machine={consoleRoute.useParams().machine} kind="console" />;
}

/** A shell on a machine, for the holder of its reservation. */
export function ShellPage(): ReactNode {
  return <TerminalPage machine={shellRoute.useParams().machine} kind="shell" />;
}

const NAMES: Readonly<Record<TerminalKind, string>> = { console: 'Console', shell: 'Shell' };

function TerminalPage({ machine: name, kind }: { machine: string; kind: TerminalKind }): ReactNode {
  const title = `${NAMES[kind]} of ${name}`;
  useTitle(title);
  useTopics('machines');
  const query = useQuery(machineQuery(name));
  return (
    <div className="terminal-page">
      <p className="crumbs">
        <Link to="/machines">Machines</Link> /{' '}
        <Link to="/machines/$machine" params={{ machine: name }}>
          {name}
        </Link>
      </p>
      <h1>{title}</h1>
      <QuerySection query={query} what="the machine">
        {(machine) => <Gate key={name} machine={machine} kind={kind} />}
      </QuerySection>
    </div>
  );
}

/** The terminal, or why there is none. One that was opened stays when it is over: what it printed can be read. */
function Gate({ machine, kind }: { machine: MachineView; kind: TerminalKind }): ReactNode {
  const { token, data: identity } = useIdentity();
  const [isBegun, setBegun] = useState(false);
  const user = identity?.user ?? null;
  const closed = user === null || kind === 'console' ? null : closedShell(machine, user);
  if (token === null && !isBegun) return <SignInFirst kind={kind} />;
  // A token that is not accepted is answered by the controller, when the terminal is opened.
  if (identity === undefined && !isBegun) return <Loading what="who you are" />;
  if (closed !== null && !isBegun) return <ClosedShell machine={machine} closed={closed} />;
  if (!isBegun) setBegun(true);
  return (
    <>
      {closed !== null && <ClosedShell machine={machine} closed={closed} />}
      {kind === 'shell' && closed === null && <ReservedLine machine={machine} />}
      <Suspense fallback={<Loading what="the terminal" />}>
        <TerminalView machine={machine.name} kind={kind} isClosed={closed !== null} />
      </Suspense>
      <Notes kind={kind} />
    </>
  );
}

function SignInFirst({ kind }: { kind: TerminalKind }): ReactNode {
  return (
    <Empty title="You are not signed in.">
      <p>
        {kind === 'console'
          ? 'Everybody with a token of this farm may watch a console.'
          : 'A shell is for who has the machine reserved.'}
      </p>
      <p>
        <button type="button" className="primary" onClick={() => void askForToken('sign-in')}>
          Sign in to open it
        </button>
      </p>
    </Empty>
  );
}

function ClosedShell({ machine, closed }: { machine: MachineView; closed: Closed }): ReactNode {
  const params = { machine: machine.name };
  return (
    <>
      <ReservedLine machine={machine} />
      <Empty title={closed.title}>
        <p>{closed.advice}</p>
        <div className="row">
          {machine.reservation === undefined && <ReservationControls machine={machine} />}
          <Link to="/machines/$machine/console" params={params} className="button">
            Console
          </Link>
          <Link to="/machines/$machine" params={params} className="button">
            The machine
          </Link>
        </div>
      </Empty>
    </>
  );
}

function Notes({ kind }: { kind: TerminalKind }): ReactNode {
  const [leave] = KEY_MAP.leaveTerminal.keys;
  return (
    <ul className="terminal-notes muted">
      {kind === 'console' ? (
        <>
          <li>Read only. Who watched, when, and what was printed meanwhile is recorded.</li>
          <li className="terminal-by-keyboard">
            Arrows, Page Up and Page Down scroll while the console has the keyboard; Tab goes on.
          </li>
        </>
      ) : (
        <>
          <li>Recorded: what is printed, and with it typed text as it is echoed. A password without echo is not.</li>
          <li className="terminal-by-keyboard">
            <kbd>{leave}</kbd> leaves the terminal by the keyboard: Tab itself goes to the shell. Ctrl+Shift+c copies,
            Ctrl+Shift+v pastes.
          </li>
          <li>The shell ends when this page is left, and with the reservation.</li>
        </>
      )}
    </ul>
  );
}
