import { VERDICT_TABLE, type Proof, type ResultView } from '@peerlab/contracts';
import { Fragment, type ReactNode } from 'react';
import { bytesText, countText } from '../ui/numbers.js';
import { durationText } from '../ui/time.js';
import { VerdictMark } from '../ui/verdict.js';

/** Verdict, reason and proof of a result. */
export function Evidence({ cell }: { cell: ResultView }): ReactNode {
  return (
    <>
      <p className="row">
        <VerdictMark verdict={cell.verdict} long />
        {cell.durationMs !== null && <span className="muted">took {durationText(cell.durationMs)}</span>}
      </p>
      <p className="reason">{cell.reason ?? VERDICT_TABLE[cell.verdict].help}</p>
      {cell.proof !== null && <ProofFacts proof={cell.proof} />}
    </>
  );
}

/** The path that the data took, as counted by the drivers of the devices. */
function ProofFacts({ proof }: { proof: Proof }): ReactNode {
  const expected = { peer: 'the peer path', ram: 'RAM', any: 'no claim' }[proof.expected];
  const [alias = 0, ram = 0] = ['alias pages', 'RAM pages'].map((name) => Number(proof.detail[name] ?? 0));
  return (
    <section aria-label="Proof of the path" className="proof">
      <h3>Path of the data</h3>
      {alias + ram > 0 && (
        <div className="proof-bar" aria-hidden="true">
          {alias > 0 && <span className="proof-peer" style={{ flexGrow: alias }} />}
          {ram > 0 && <span className="proof-ram" style={{ flexGrow: ram }} />}
        </div>
      )}
      <dl className="facts">
        <dt>Expected</dt>
        <dd>{expected}</dd>
        <dt>Taken</dt>
        <dd>{proof.taken === 'ram' ? 'RAM' : <code>{proof.taken}</code>}</dd>
        {Object.entries(proof.detail).map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{detailText(name, value)}</dd>
          </Fragment>
        ))}
      </dl>
    </section>
  );
}

function detailText(name: string, value: Proof['detail'][string]): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  return name.startsWith('bytes ') ? bytesText(value) : countText(value);
}
