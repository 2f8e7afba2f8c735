import { VERDICT_TABLE, type Proof, type ResultView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
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

/** The path that the bytes took, as counted by the drivers of the devices. */
function ProofFacts({ proof }: { proof: Proof }): ReactNode {
  const pages = proof.aliasPages + proof.ramPages;
  const expected = { peer: 'the peer path', ram: 'RAM', any: 'no claim' }[proof.expected];
  return (
    <section aria-label="Proof of the path" className="proof">
      <h3>Path of the data</h3>
      {pages > 0 && (
        <div className="proof-bar" aria-hidden="true">
          {proof.aliasPages > 0 && <span className="proof-peer" style={{ flexGrow: proof.aliasPages }} />}
          {proof.ramPages > 0 && <span className="proof-ram" style={{ flexGrow: proof.ramPages }} />}
        </div>
      )}
      <dl className="facts">
        <dt>Expected</dt>
        <dd>{expected}</dd>
        <dt>
          <i className="key proof-peer" aria-hidden="true" /> Peer (alias)
        </dt>
        <dd>{countText(proof.aliasPages)} pages</dd>
        <dt>
          <i className="key proof-ram" aria-hidden="true" /> RAM
        </dt>
        <dd>{countText(proof.ramPages)} pages</dd>
        <dt>Mapped as</dt>
        <dd>
          <code>{proof.mapType}</code>
        </dd>
        <dt>dma_alias calls</dt>
        <dd>{countText(proof.aliasCalls)}</dd>
        <dt>Migrated back</dt>
        <dd>{countText(proof.migratedBack)} pages</dd>
        <dt>Data compared</dt>
        <dd>
          {bytesText(proof.bytesCompared)}
          {proof.oracle && ', also through the host’s view of the BAR'}
        </dd>
      </dl>
    </section>
  );
}
