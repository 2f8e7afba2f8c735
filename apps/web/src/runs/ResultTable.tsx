import { Link } from '@tanstack/react-router';
import type { AttemptDetail, Proof } from '@peerlab/contracts';
import type { ReactNode } from 'react';
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
      <table className="list">
        <thead>
          <tr>
            <th scope="col">Verdict</th>
            <th scope="col">Test</th>
            <th scope="col">Proof</th>
            <th scope="col">Took</th>
            <th scope="col">Log</th>
          </tr>
        </thead>
        <tbody>
          {results.map((result) => (
            <tr key={result.position}>
              <td data-label="Verdict">
                <VerdictMark verdict={result.verdict} long />
              </td>
              <td data-label="Test">
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
              </td>
              <td data-label="Proof">{result.proof !== null && <ProofLine proof={result.proof} />}</td>
              <td data-label="Took" className="number">
                {result.durationMs === null ? '–' : durationText(result.durationMs)}
              </td>
              <td data-label="Log">
                {result.log !== null && (
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
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function ProofLine({ proof }: { proof: Proof }): ReactNode {
  return (
    <span title={`expected ${proof.expected}; mapped as ${proof.mapType}; dma_alias called ${proof.aliasCalls} times`}>
      <span className="number">{countText(proof.aliasPages)}</span> peer ·{' '}
      <span className="number">{countText(proof.ramPages)}</span> RAM
      {proof.oracle && (
        <span className="chip" title="the host compared the bytes too">
          host agrees
        </span>
      )}
    </span>
  );
}

/** Every metric of an attempt: median, the samples' range and their number. */
export function MeasurementTable({ measurements }: { measurements: AttemptDetail['measurements'] }): ReactNode {
  if (measurements.length === 0) return null;
  return (
    <section aria-labelledby="metrics-head">
      <h2 id="metrics-head">Measurements</h2>
      <table className="list">
        <thead>
          <tr>
            <th scope="col">Metric</th>
            <th scope="col">Median</th>
            <th scope="col">Least … most</th>
            <th scope="col">Samples</th>
            <th scope="col">Parameters</th>
          </tr>
        </thead>
        <tbody>
          {measurements.map((metric, index) => (
            <tr key={index}>
              <td data-label="Metric">
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
              </td>
              <td data-label="Median" className="number">
                {numberText(metric.median)} {metric.unit}{' '}
                <span className="muted" title={`${metric.better} is better`}>
                  {metric.better === 'lower' ? '↓' : '↑'}
                </span>
              </td>
              <td data-label="Least … most" className="number">
                {numberText(Math.min(...metric.samples))} … {numberText(Math.max(...metric.samples))}
              </td>
              <td data-label="Samples" className="number">
                {metric.samples.length}
              </td>
              <td data-label="Parameters" className="muted">
                {Object.entries(metric.params)
                  .map(([key, value]) => `${key}=${value}`)
                  .join(' ')}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
