import { Link } from '@tanstack/react-router';
import {
  expectedPath,
  hardwareOfRole,
  proofText,
  SOLE_ROLE,
  VERDICT_TABLE,
  type CombinationIdentity,
  type PathKind,
  type Proof,
  type ResultEvidence,
  type ResultView,
  type TestedRole,
} from '@peerlab/contracts';
import { Fragment, type ReactNode } from 'react';
import { evidenceSearch, proofDetailText } from '../runs/evidence.js';
import { EvidenceList } from '../runs/EvidenceList.js';
import { Reason } from '../runs/Reason.js';
import { linesText } from '../ui/numbers.js';
import { durationText } from '../ui/time.js';
import { VerdictMark } from '../ui/verdict.js';

/**
 * What a cell shows: its result, and where several machines took part, whose it is and what the others say.
 * @param roles what each role boots and where, as far as it is known
 */
export function CellEvidence({
  result,
  identity,
  attempt,
  suite,
  build = null,
  roles = [],
}: {
  result: ResultEvidence;
  /** Of the combination: each side's path is of its own hardware. */
  identity: CombinationIdentity;
  attempt: string;
  suite: string;
  /** What the first role runs, whose lines are linked; null where that is not known. */
  build?: string | null;
  roles?: readonly TestedRole[] | undefined;
}): ReactNode {
  if (result.role === SOLE_ROLE) return <Evidence cell={result} kind={identity.pathKind} suite={suite} build={build} />;
  return [result, ...result.others].map((each) => (
    <section key={each.role} aria-label={`Evidence of ${each.role}`}>
      <h3 className="row">
        <RoleName role={each.role} tested={roles.find(({ role }) => role === each.role)} />
      </h3>
      <Evidence
        cell={each}
        kind={hardwareOfRole(identity, each.role).pathKind}
        suite={suite}
        build={roles.find(({ role }) => role === each.role)?.build.id ?? null}
      />
      {each !== result && each.log !== null && (
        <Link to="/attempts/$attempt" params={{ attempt }} search={evidenceSearch(each.log)}>
          Log of {each.role}: {each.log.stream} lines {linesText(each.log.fromSeq, each.log.toSeq)}
        </Link>
      )}
    </section>
  ));
}

/** A role with its kernel and its machine. */
export function RoleName({ role, tested }: { role: string; tested: TestedRole | undefined }): ReactNode {
  return (
    <>
      <span>{role}</span>
      {tested !== undefined && (
        <span className="muted">
          {tested.build.name}
          {tested.machine !== null && ` on ${tested.machine}`}
        </span>
      )}
    </>
  );
}

/** Verdict, reason and proof of a result. */
function Evidence({
  cell,
  kind,
  suite,
  build,
}: {
  cell: ResultView;
  kind: PathKind;
  suite: string;
  build: string | null;
}): ReactNode {
  return (
    <>
      <p className="row">
        <VerdictMark verdict={cell.verdict} long />
        {cell.durationMs !== null && <span className="muted">took {durationText(cell.durationMs)}</span>}
      </p>
      <p className="reason">
        <Reason text={cell.reason ?? VERDICT_TABLE[cell.verdict].help} suite={suite} build={build} />
      </p>
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
        <dd>{proofText(proof, expectedPath(proof, kind))}</dd>
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
