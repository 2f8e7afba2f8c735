import { Link } from '@tanstack/react-router';
import {
  countVerdicts,
  expectedPath,
  hardwareOfRole,
  proofText,
  unitText,
  VERDICT_TABLE,
  VERDICTS,
  type AttemptDetail,
  type PathKind,
  type Proof,
  type ResultView,
  type Verdict,
} from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { AttemptFailure } from '../failures/AttemptFailure.js';
import type { AttemptSearch } from '../search.js';
import { ListTable } from '../ui/ListTable.js';
import { countText, linesText, numberText } from '../ui/numbers.js';
import { RatiosOnly } from '../ui/RatiosOnly.js';
import { durationText } from '../ui/time.js';
import { VerdictMark } from '../ui/verdict.js';
import { evidenceSearch, proofDetailText } from './evidence.js';
import { EvidenceList } from './EvidenceList.js';
import { arrangeResults } from './result-order.js';
import { Reason } from './Reason.js';
import { TestNames } from './TestNames.js';

/** Results of an attempt: what needs a look first, skipped tests by their reason. Order and filter are in the address. */
export function ResultTable({
  attempt,
  search,
  onChange,
}: {
  attempt: AttemptDetail;
  search: Pick<AttemptSearch, 'sort' | 'verdict'>;
  onChange: (next: Pick<AttemptSearch, 'sort' | 'verdict'>) => void;
}): ReactNode {
  if (attempt.results.length === 0) {
    if (attempt.kind === 'build') return null;
    return (
      <section aria-labelledby="results-head">
        <h2 id="results-head">Results</h2>
        <p className="muted">
          {attempt.state === 'ended' ? 'No test reported a result.' : 'The tests have not reported yet.'}
        </p>
      </section>
    );
  }
  const { rows, skipped } = arrangeResults(attempt.results, search);
  return (
    <section aria-labelledby="results-head">
      <div className="row">
        <h2 id="results-head">Results</h2>
        <VerdictFilter
          counts={countVerdicts(attempt.results)}
          chosen={search.verdict}
          onChoose={(verdict) => onChange({ ...search, verdict })}
        />
        <label className="inline-field push">
          Order
          <select
            value={search.sort ?? ''}
            onChange={({ target }) => onChange({ ...search, sort: ORDERS.find((each) => each === target.value) })}
          >
            <option value="">what needs a look first</option>
            <option value="time">time taken, longest first</option>
            <option value="name">name</option>
            <option value="run">as they ran</option>
          </select>
        </label>
      </div>
      <ListTable
        rows={rows}
        keyOf={(result) => `${result.role}/${result.suite}/${result.test}`}
        columns={[
          { name: 'Verdict', render: (result) => <VerdictMark verdict={result.verdict} long /> },
          { name: 'Test', render: (result) => <TestCell result={result} attempt={attempt} /> },
          ...(attempt.participants.length > 1
            ? [{ name: 'Machine', render: (result: ResultView) => result.role }]
            : []),
          {
            name: 'Way of the data',
            render: (result) =>
              result.proof !== null && (
                <ProofLine
                  proof={result.proof}
                  kind={
                    attempt.combination === null
                      ? null
                      : hardwareOfRole(attempt.combination.identity, result.role).pathKind
                  }
                  isBounced={result.verdict === 'bounced'}
                />
              ),
          },
          {
            name: 'Took',
            className: 'number',
            render: (result) => (result.durationMs === null ? '–' : durationText(result.durationMs)),
          },
          { name: 'Log', render: (result) => <LogLink result={result} attempt={attempt.id} /> },
        ]}
      />
      {skipped.map(({ reason, results }) => (
        <div key={reason} className="skip-group">
          <p className="row">
            <VerdictMark verdict="skip" long />
            <strong>{reason}</strong>
          </p>
          {[...new Set(results.map(({ suite }) => suite))].map((suite) => (
            <p key={suite}>
              <TestNames suite={suite} tests={results.filter((each) => each.suite === suite).map(({ test }) => test)} />
            </p>
          ))}
        </div>
      ))}
    </section>
  );
}

const ORDERS = ['run', 'time', 'name'] as const;

/** Counts by verdict; each is a button that leaves only its results, and once more all of them. */
function VerdictFilter({
  counts,
  chosen,
  onChoose,
}: {
  counts: Partial<Record<Verdict, number>>;
  chosen: Verdict | undefined;
  onChoose: (verdict: Verdict | undefined) => void;
}): ReactNode {
  return (
    <span className="counts" role="group" aria-label="Only results with this verdict">
      {VERDICTS.filter((verdict) => (counts[verdict] ?? 0) > 0 || verdict === chosen).map((verdict) => (
        <button
          key={verdict}
          type="button"
          className={`count verdict-${verdict}`}
          aria-pressed={verdict === chosen}
          title={VERDICT_TABLE[verdict].help}
          onClick={() => onChoose(verdict === chosen ? undefined : verdict)}
        >
          <span aria-hidden="true">{VERDICT_TABLE[verdict].icon}</span> {countText(counts[verdict] ?? 0)}{' '}
          {VERDICT_TABLE[verdict].label}
        </button>
      ))}
    </span>
  );
}

function TestCell({ result, attempt }: { result: ResultView; attempt: AttemptDetail }): ReactNode {
  return (
    <>
      <span>
        <span className="muted">{result.suite}/</span>
        <Link
          to="/history"
          search={{ suite: result.suite, test: result.test, combination: attempt.combination?.hash }}
          title="history of this test on this combination"
        >
          {result.test}
        </Link>
      </span>
      {(result.signature ?? result.reason) !== null && (
        <div className="reason">
          <Reason
            text={result.signature ?? result.reason ?? ''}
            suite={result.suite}
            build={buildOf(attempt, result.role)}
          />
        </div>
      )}
      {result.warnings.map((warning, index) => (
        <div key={index} className="reason">
          <span aria-hidden="true">⚠</span> {warning}
        </div>
      ))}
      <AttemptFailure attempt={attempt} result={result} />
    </>
  );
}

/** What a role runs. */
function buildOf({ participants, buildId }: AttemptDetail, role: string): string {
  return participants.find((each) => each.role === role)?.build?.id ?? buildId;
}

function LogLink({ result: { log }, attempt }: { result: ResultView; attempt: string }): ReactNode {
  if (log === null) return null;
  return (
    <Link to="/attempts/$attempt" params={{ attempt }} search={evidenceSearch(log)} className="one-line">
      {log.stream} {linesText(log.fromSeq, log.toSeq)}
    </Link>
  );
}

/** The way that the data took, beside the one that was expected, what was counted, and what speaks against a bounced one. */
function ProofLine({ proof, kind, isBounced }: { proof: Proof; kind: PathKind | null; isBounced: boolean }): ReactNode {
  const expected = kind === null ? null : expectedPath(proof, kind);
  const counted = Object.entries(proof.detail).map(([name, value]) => `${name} ${proofDetailText(name, value)}`);
  return (
    <>
      <span>{proofText(proof, expected)}</span>
      {counted.length > 0 && <div className="muted proof-counts">{counted.join(' · ')}</div>}
      {/* Data that took another way has been said in one line above. */}
      {isBounced && (proof.taken === expected || expected === 'unknown') && (
        <EvidenceList proof={proof} kind={kind} only={['contradicts', 'missing']} />
      )}
    </>
  );
}

/** Every metric of an attempt: median, range and number of samples. */
export function MeasurementTable({
  attempt: { measurements, combination, participants },
}: {
  attempt: Pick<AttemptDetail, 'measurements' | 'combination' | 'participants'>;
}): ReactNode {
  if (measurements.length === 0) return null;
  return (
    <section aria-labelledby="metrics-head">
      <h2 id="metrics-head">Measurements</h2>
      <RatiosOnly combinations={[combination ?? undefined]} />
      <ListTable
        rows={measurements}
        keyOf={(_, index) => index}
        columns={[
          {
            name: 'Metric',
            render: (metric) => (
              <span>
                <span className="muted">{metric.suite}/</span>
                <Link
                  to="/trends"
                  search={{ suite: metric.suite, metric: metric.name }}
                  title="trend of this metric over kernels"
                >
                  {metric.name}
                </Link>
              </span>
            ),
          },
          ...(participants.length > 1
            ? [{ name: 'Machine', render: (metric: AttemptDetail['measurements'][number]) => metric.role }]
            : []),
          {
            name: 'Median',
            className: 'number',
            render: (metric) => (
              <>
                {numberText(metric.median)} {unitText(metric.unit)}{' '}
                <span className="muted" title={`${metric.better} is better`}>
                  {metric.better === 'lower' ? '↓' : '↑'}
                </span>
              </>
            ),
          },
          {
            name: 'Least … most',
            className: 'number',
            render: (metric) => (
              <>
                {numberText(Math.min(...metric.samples))} … {numberText(Math.max(...metric.samples))}
              </>
            ),
          },
          { name: 'Samples', className: 'number', render: (metric) => metric.samples.length },
          {
            name: 'Parameters',
            className: 'muted',
            render: (metric) =>
              Object.entries(metric.params)
                .map(([key, value]) => `${key}=${value}`)
                .join(' '),
          },
        ]}
      />
    </section>
  );
}
