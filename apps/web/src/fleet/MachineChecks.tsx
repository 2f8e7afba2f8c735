import type { MachineCheck, MachineView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { Ago } from '../ui/time.js';

const SIGNS: Record<MachineCheck['verdict'], { icon: string; word: string; tone: string }> = {
  fail: { icon: '✗', word: 'fail', tone: 'bad' },
  warn: { icon: '!', word: 'warn', tone: 'warn' },
  pass: { icon: '✓', word: 'pass', tone: 'good' },
};
/** What a person has to do something about comes first. */
const ORDER: readonly MachineCheck['verdict'][] = ['fail', 'warn', 'pass'];

/** What the agent's newest look said about everything that the farm needs of the machine, with the remedies. */
export function MachineChecks({ checks }: { checks: MachineView['checks'] }): ReactNode {
  return (
    <section aria-labelledby="checks-head">
      <h2 id="checks-head">What the farm needs of it</h2>
      {checks === null ? (
        <p className="muted">
          Not checked yet: the agent looks a minute after it has read the inventory, while no job runs there.
        </p>
      ) : (
        <Checked checks={checks} />
      )}
    </section>
  );
}

function Checked({ checks: { at, list } }: { checks: NonNullable<MachineView['checks']> }): ReactNode {
  const ordered = ORDER.flatMap((verdict) => list.filter((check) => check.verdict === verdict));
  const wanting = ordered.filter(({ verdict }) => verdict !== 'pass');
  const passed = ordered.filter(({ verdict }) => verdict === 'pass');
  return (
    <>
      <p className="muted">
        {passed.length} of {list.length} pass, as seen <Ago at={at} />. What the boot loader, a power cycle and a crash
        do is proven by <code>peerlab machine check --act</code> on the host of the agent.
      </p>
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
