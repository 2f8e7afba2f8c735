import { Link } from '@tanstack/react-router';
import type { AttemptDetail, Proof } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { AttemptFailure } from '../failures/AttemptFailure.js';
import { ListTable } from '../ui/ListTable.js';
import { countText, numberText } from '../ui/numbers.js';
import { durationText } from '../ui/time.js';
import { VerdictMark } from '../ui/verdict.js';

/** Results of an attempt in the order they ran, each with its log lines. */
export function ResultTable({ attempt }: { attempt: AttemptDetail }): ReactNode {
  const results = [...attempt.results].sort((a, b) => a.position - b.position);
  if (results.length === 0) {
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
  return (
    <section aria-labelledby="results-head">
      <h2 id="results-head">Results</h2>
      <ListTable
        rows={results}
        keyOf={(result) => result.position}
        columns={[
          { name: 'Verdict', render: (result) => <VerdictMark verdict={result.verdict} long /> },
          {
            name: 'Test',
            render: (result) => (
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
                  <div className="reason">{result.signature ?? result.reason}</div>
                )}
                {result.warnings.map((warning, index) => (
                  <div key={index} className="reason">
                    <span aria-hidden="true">⚠</span> {warning}
                  </div>
                ))}
                <AttemptFailure attempt={attempt} result={result} />
              </>
            ),
          },
          { name: 'Proof', render: (result) => result.proof !== null && <ProofLine proof={result.proof} /> },
          {
            name: 'Took',
            className: 'number',
            render: (result) => (result.durationMs === null ? '–' : durationText(result.durationMs)),
          },
          {
            name: 'Log',
            render: (result) =>
              result.log !== null && (
                <Link
                  to="/attempts/$attempt"
                  params={{ attempt: attempt.id }}
                  search={{
                    view: 'log',
                    stream: result.log.stream,
                    line: result.log.fromSeq + 1,
                    to: result.log.toSeq + 1,
                  }}
                >
                  {result.log.stream} {countText(result.log.fromSeq + 1)}–{countText(result.log.toSeq + 1)}
                </Link>
              ),
          },
        ]}
      />
    </section>
  );
}

function ProofLine({ proof }: { proof: Proof }): ReactNode {
  const detail = Object.entries(proof.detail).map(([name, value]) => `${name}: ${value}`);
  return (
    <span title={[`expected ${proof.expected}`, ...detail].join('; ')}>
      {proof.taken === 'ram' ? 'RAM' : <code>{proof.taken}</code>}
    </span>
  );
}

/** Every metric of an attempt: median, range and number of samples. */
export function MeasurementTable({ measurements }: { measurements: AttemptDetail['measurements'] }): ReactNode {
  if (measurements.length === 0) return null;
  return (
    <section aria-labelledby="metrics-head">
      <h2 id="metrics-head">Measurements</h2>
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
          {
            name: 'Median',
            className: 'number',
            render: (metric) => (
              <>
                {numberText(metric.median)} {metric.unit}{' '}
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
