import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { LEVEL, metricPath, type Twins } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { twinsQuery } from '../api/compare.js';
import { CompareModes } from '../compare/CompareModes.js';
import { TwinMetrics, TwinTests } from '../compare/TwinTables.js';
import { KernelName } from '../runs/KernelName.js';
import type { TwinsSearch } from '../search.js';
import { FilterField } from '../ui/FilterField.js';
import { countOf, countText } from '../ui/numbers.js';
import { readPattern } from '../ui/pattern.js';
import { RatiosOnly } from '../ui/RatiosOnly.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';
import { PathChip } from '../ui/verdict.js';

const route = getRouteApi('/compare/machines');

/** One kernel on machines with the same hardware: where they do not agree, and which one stands out. */
export function TwinsPage(): ReactNode {
  useTopics('grid');
  useTitle('Compare machines');
  const { build, combination, q } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery({ ...twinsQuery({ build, combination }), placeholderData: keepPreviousData });
  const pattern = useMemo(() => readPattern(q), [q]);
  const change = (next: Partial<TwinsSearch>, replace = false): void =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace, resetScroll: false });
  return (
    <>
      <div className="page-head">
        <h1>Compare machines</h1>
        <CompareModes on="machines" build={query.data?.twins?.kernel.id} />
        <FilterField
          label="Filter tests and metrics"
          placeholder="Filter: regex, ! to exclude   ( / )"
          value={q ?? ''}
          problem={pattern.problem}
          onChange={(next) => change({ q: next || undefined }, true)}
        />
      </div>
      <QuerySection query={query} what="the comparison">
        {(data) => <Compared data={data} matches={pattern.matches} change={change} />}
      </QuerySection>
    </>
  );
}

function Compared({
  data,
  matches,
  change,
}: {
  data: Twins;
  matches: (text: string) => boolean;
  change: (next: Partial<TwinsSearch>) => void;
}): ReactNode {
  const { twins } = data;
  if (twins === null) {
    return (
      <>
        <KernelChoice data={data} change={change} />
        <Empty title="No kernel ran here on two machines with the same hardware.">
          <p>
            <Link to="/submit">Submit a run</Link> with <code>{'machines: {each: true}'}</code>: it tests every machine,
            and not one of each combination.
          </p>
        </Empty>
      </>
    );
  }
  const { machines, machinesTotal, combination, tests, testsTotal, testsCompared, metrics, metricsTotal } = twins;
  const unlike = metrics.filter(({ outlier }) => outlier !== null).length;
  return (
    <>
      <KernelChoice data={data} change={change} />
      <p className="row totals">
        <PathChip kind={combination.identity.pathKind} />
        {machines.map(({ name, attempts, isCut }) => (
          <span key={name}>
            <Link to="/machines/$machine" params={{ machine: name }}>
              {name}
            </Link>{' '}
            <span className="muted">
              {isCut && 'the newest '}
              {countOf(attempts, 'attempt')}
            </span>
          </span>
        ))}
        {machinesTotal > machines.length && (
          <span className="muted">
            {machines.length} of {countText(machinesTotal)} machines, those with the newest results
          </span>
        )}
      </p>
      <section aria-labelledby="tests-head">
        <h2 id="tests-head">Tests on which they do not agree</h2>
        <p className="totals">
          <strong className="number">{countText(testsTotal)}</strong> of {countOf(testsCompared, 'test')}.
          {testsTotal > tests.length && ` The first ${countText(tests.length)} are here.`}
        </p>
        <TwinTests machines={machines} tests={tests.filter(({ suite, test }) => matches(`${suite}/${test}`))} />
      </section>
      {metrics.length > 0 && (
        <section aria-labelledby="metrics-head">
          <h2 id="metrics-head">Metrics</h2>
          <p className="totals">
            A machine stands out in <strong className="number">{countText(unlike)}</strong> of{' '}
            {countOf(metricsTotal, 'metric')}.
            {metricsTotal > metrics.length && ` ${countText(metrics.length)} of them are here.`}
          </p>
          <RatiosOnly combinations={[combination]} />
          <p className="totals muted">
            Each machine’s boots are compared with those of all others by the rule for builds. All machines and metrics
            here share one limit: where all are alike, fewer than {LEVEL * 100} % of such pages name any.
            {machines.length === 2 && ' Of two machines that differ neither is known to be the odd one.'}
          </p>
          <TwinMetrics
            machines={machines}
            combination={combination}
            metrics={metrics.filter((metric) => matches(metricPath(metric)))}
          />
        </section>
      )}
    </>
  );
}

function KernelChoice({
  data: { kernels, combinations, twins },
  change,
}: {
  data: Twins;
  change: (next: Partial<TwinsSearch>) => void;
}): ReactNode {
  if (kernels.length === 0 && twins === null) return null;
  const chosen = twins?.kernel;
  const isListed = chosen === undefined || kernels.some(({ id }) => id === chosen.id);
  return (
    <p className="row">
      <label className="inline-field">
        <span>Kernel</span>
        <select
          value={chosen?.id ?? ''}
          onChange={(event) => change({ build: event.target.value || undefined, combination: undefined })}
        >
          {chosen === undefined && <option value="">choose a kernel</option>}
          {!isListed && <option value={chosen.id}>{chosen.name}</option>}
          {kernels.map(({ id, name, release }) => (
            <option key={id} value={id}>
              {name} · {release ?? 'release unknown'}
            </option>
          ))}
        </select>
      </label>
      {chosen !== undefined && <KernelName kernel={chosen} />}
      {twins !== null && (
        <label className="inline-field">
          <span>On</span>
          <select
            value={twins.combination.hash}
            onChange={(event) => change({ build: chosen?.id, combination: event.target.value })}
          >
            {combinations.map(({ hash, label }) => (
              <option key={hash} value={hash}>
                {label}
              </option>
            ))}
          </select>
        </label>
      )}
    </p>
  );
}
