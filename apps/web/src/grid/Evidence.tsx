import { proofText, VERDICT_TABLE, type PathKind, type Proof, type ResultView } from '@peerlab/contracts';
import { Fragment, type ReactNode } from 'react';
import { proofDetailText } from '../runs/evidence.js';
import { EvidenceList } from '../runs/EvidenceList.js';
import { durationText } from '../ui/time.js';
import { VerdictMark } from '../ui/verdict.js';

/** Verdict, reason and proof of a result. */
export function Evidence({ cell, kind }: { cell: ResultView; kind: PathKind }): ReactNode {
  return (
    <>
      <p className="row">
        <VerdictMark verdict={cell.verdict} long />
        {cell.durationMs !== null && <span className="muted">took {durationText(cell.durationMs)}</span>}
      </p>
      <p className="reason">{cell.reason ?? VERDICT_TABLE[cell.verdict].help}</p>
      {cell.proof !== null && <ProofFacts proof={cell.proof} kind={kind} />}
    </>
  );
}

/** The path that the data took, as counted by the drivers of the devices. */
function ProofFacts({ proof, kind }: { proof: Proof; kind: PathKind }): ReactNode {
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
        <dt>Taken</dt>
        <dd>{proofText(proof, kind)}</dd>
        {Object.entries(proof.detail).map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{proofDetailText(name, value)}</dd>
          </Fragment>
        ))}
      </dl>
      <EvidenceList proof={proof} kind={kind} />
    </section>
  );
}
