import type { MachineCheck, MachineCheckRun, MachineView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Ago } from '../ui/time.js';

const SIGNS: Record<MachineCheck['verdict'], { icon: string; word: string; tone: string }> = {
  fail: { icon: '✗', word: 'fail', tone: 'bad' },
  warn: { icon: '!', word: 'warn', tone: 'warn' },
  pass: { icon: '✓', word: 'pass', tone: 'good' },
};
/** What a person has to do something about comes first. */
const ORDER: readonly MachineCheck['verdict'][] = ['fail', 'warn', 'pass'];

/** What the agent's newest look said about everything that the farm needs of the machine, and what people had checked, with the remedies. */
export function MachineChecks({ machine: { checks, checkRuns } }: { machine: MachineView }): ReactNode {
  return (
    <section aria-labelledby="checks-head">
      <h2 id="checks-head">What the farm needs of it</h2>
      {checks === null ? (
        <p className="muted">
          Not checked yet: the agent looks a minute after it has read the inventory, while no job runs there.
        </p>
      ) : (
        <>
          <p className="muted">
            {passCount(checks.list)}, as seen <Ago at={checks.at} />. What the boot loader, a power cycle and a crash do
            is proven by <code>peerlab machine check --act</code> on the host of the agent.
          </p>
          <Checked list={checks.list} />
        </>
      )}
      {checkRuns.map((run) => (
        <CheckRun key={run.at} run={run} />
      ))}
    </section>
  );
}

/** What a person saw who ran `peerlab machine` on the host of the agent. */
function CheckRun({ run: { at, by, acted, list } }: { run: MachineCheckRun }): ReactNode {
  return (
    <>
      <h3>{acted ? 'Tried on the machine' : 'Looked at from the host of the agent'}</h3>
      <p className="muted">
        {passCount(list)}, by {by} <Ago at={at} />
        {acted ? ', with --act' : ''}.
      </p>
      <Checked list={list} />
    </>
  );
}

const passCount = (list: readonly MachineCheck[]): string =>
  `${list.filter(({ verdict }) => verdict === 'pass').length} of ${list.length} pass`;

function Checked({ list }: { list: readonly MachineCheck[] }): ReactNode {
  const ordered = ORDER.flatMap((verdict) => list.filter((check) => check.verdict === verdict));
  const wanting = ordered.filter(({ verdict }) => verdict !== 'pass');
  const passed = ordered.filter(({ verdict }) => verdict === 'pass');
  return (
    <>
      {wanting.length > 0 && <Checks checks={wanting} />}
      <details open={wanting.length === 0}>
        <summary>
          {passed.length} {passed.length === 1 ? 'check that passes' : 'checks that pass'}
        </summary>
        <Checks checks={passed} />
      </details>
    </>
  );
}

function Checks({ checks }: { checks: readonly MachineCheck[] }): ReactNode {
  return (
    <ul className="machine-checks">
      {checks.map(({ name, verdict, detail, remedy }) => (
        <li key={name}>
          <span className={`chip check-${SIGNS[verdict].tone}`}>
            <span aria-hidden="true">{SIGNS[verdict].icon}</span> {SIGNS[verdict].word}
          </span>
          <strong>{name.replaceAll('-', ' ')}</strong>
          <span>
            {detail}
            {remedy !== null && <span className="machine-check-remedy">{remedy}</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}
