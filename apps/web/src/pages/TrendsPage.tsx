import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import {
  buildOfSide,
  changesOfLines,
  TREND_POINTS_MAX,
  unitText,
  type MetricView,
  type Trend,
} from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { metricsQuery, trendQuery } from '../api/over-time.js';
import type { TrendsSearch } from '../search.js';
import { comparableAxis } from '../trends/chart.js';
import { Overview } from '../trends/Overview.js';
import { TrendCard } from '../trends/TrendCard.js';
import { TrendTable } from '../trends/TrendTable.js';
import { FilterField } from '../ui/FilterField.js';
import { useFirst } from '../ui/first.js';
import { countOf, countText } from '../ui/numbers.js';
import { readPattern } from '../ui/pattern.js';
import { RatiosOnly } from '../ui/RatiosOnly.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';

const route = getRouteApi('/trends');

type Chosen = TrendsSearch & { suite: string; metric: string };
type Change = (next: Partial<TrendsSearch>, replace?: boolean) => void;

/** Charts drawn at first; the rest on request, so that hundreds of combinations do not block the page. */
const FIRST_CHARTS = 24;

/** One metric over kernels, for each combination and build. */
export function TrendsPage(): ReactNode {
  useTopics('grid');
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery(metricsQuery());
  const change: Change = (next, replace = false) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace, resetScroll: false });
  const pattern = useMemo(() => readPattern(search.q), [search.q]);
  const isOverview = search.suite === undefined || search.metric === undefined;
  useTitle(search.metric === undefined ? 'Trends' : `Trend of ${search.metric}`);
  return (
    <>
      <div className="page-head">
        <h1>Trends</h1>
        {query.data !== undefined && query.data.length > 0 && (
          <MetricSelect metrics={query.data} search={search} change={change} />
        )}
        {isOverview && query.data !== undefined && query.data.length > 0 && (
          <FilterField
            label="Filter metrics"
            placeholder="Filter: regex, ! to exclude   ( / )"
            value={search.q ?? ''}
            problem={pattern.problem}
            onChange={(next) => change({ q: next || undefined }, true)}
          />
        )}
        {search.suite !== undefined && search.metric !== undefined && (
          <Filters chosen={{ ...search, suite: search.suite, metric: search.metric }} change={change} />
        )}
      </div>
      <QuerySection query={query} what="the metrics">
        {(metrics) => <ChosenTrend metrics={metrics} search={search} matches={pattern.matches} change={change} />}
      </QuerySection>
    </>
  );
}

function ChosenTrend({
  metrics,
  search,
  matches,
  change,
}: {
  metrics: readonly MetricView[];
  search: TrendsSearch;
  matches: (text: string) => boolean;
  change: Change;
}): ReactNode {
  const { suite, metric } = search;
  if (metrics.length === 0) {
    return (
      <Empty title="Nothing has been measured yet.">
        <p>
          Metrics come from suites that print <code># metric:</code> lines, such as <code>p2p-perf</code>:{' '}
          <Link to="/submit">submit a run</Link> with one.
        </p>
      </Empty>
    );
  }
  if (suite === undefined || metric === undefined) {
    return <Overview matches={matches} />;
  }
  return <Lines key={`${suite}/${metric}`} chosen={{ ...search, suite, metric }} change={change} />;
}

function Lines({ chosen, change }: { chosen: Chosen; change: Change }): ReactNode {
  const query = useQuery(trendQuery(chosen));
  return (
    <QuerySection query={query} what="the trend">
      {(trend) => {
        if (trend.lines.length === 0) {
          const isFiltered = chosen.combination !== undefined || chosen.build !== undefined;
          return (
            <Empty title={isFiltered ? 'No measurement matches the filters.' : 'This metric was never measured.'}>
              <p>
                <Link to="/trends" search={isFiltered ? { suite: chosen.suite, metric: chosen.metric } : {}}>
                  {isFiltered ? 'Show all of the metric' : 'Choose another metric'}
                </Link>
              </p>
            </Empty>
          );
        }
        return (
          <>
            <Summary trend={trend} chosen={chosen} change={change} />
            <RatiosOnly combinations={trend.lines.map(({ combination }) => combination)} />
            <Measured trend={trend} chosen={chosen} />
          </>
        );
      }}
    </QuerySection>
  );
}

function Summary({ trend, chosen, change }: { trend: Trend; chosen: Chosen; change: Change }): ReactNode {
  const points = trend.lines.reduce((sum, line) => sum + line.points.length, 0);
  const directions = [...new Set(trend.lines.map(({ better, unit }) => `${unitText(unit)}, ${better} is better`))];
  return (
    <div className="row totals">
      <strong>{directions.join('; ')}</strong>
      <span className="muted">
        {trend.isCut
          ? `the newest ${countText(TREND_POINTS_MAX)} measurements; choose a combination or a build to see older ones`
          : countOf(points, 'measurement')}
      </span>
      <span className="row chart-options">
        {chosen.view !== 'table' && (
          <label className="inline-field">
            <span>Axis</span>
            <select
              value={chosen.axis ?? ''}
              onChange={({ target: { value } }) =>
                change({ axis: value === '' ? undefined : value === 'zero' ? 'zero' : 'own' })
              }
            >
              <option value="">comparable</option>
              <option value="own">of each chart</option>
              <option value="zero">from zero</option>
            </select>
          </label>
        )}
        <label className="inline-field">
          <input
            type="checkbox"
            checked={chosen.view === 'table'}
            onChange={(event) => change({ view: event.target.checked ? 'table' : undefined })}
          />
          <span>as a table</span>
        </label>
      </span>
    </div>
  );
}

/** All lines of the page are judged together, also those of which no chart is drawn yet. */
function Measured({ trend: { lines }, chosen }: { trend: Trend; chosen: Chosen }): ReactNode {
  const changes = useMemo(() => changesOfLines(lines.map(({ points }) => points)), [lines]);
  if (chosen.view === 'table') return <TrendTable lines={lines} changes={changes} />;
  return <Charts lines={lines} changes={changes} chosen={chosen} />;
}

function Charts({
  lines,
  changes,
  chosen,
}: Pick<Trend, 'lines'> & { changes: ReturnType<typeof changesOfLines>; chosen: Chosen }): ReactNode {
  const { shown, rest } = useFirst(lines, FIRST_CHARTS, 'charts');
  const axis = chosen.axis ?? comparableAxis(lines.map(({ points }) => points));
  return (
    <>
      <div className="trend-cards">
        {shown.map((line, index) => (
          <TrendCard
            key={[line.combination.hash, buildOfSide(line), line.unit, line.better].join()}
            line={line}
            chosen={chosen}
            changes={changes[index] ?? []}
            axis={axis}
          />
        ))}
      </div>
      {rest}
      <p className="muted trend-note">
        Line and points: medians of boots; band: from the lower to the upper quartile of a boot’s samples. A dashed line
        marks a change: between two kernels, with three runs or more on each side, and larger than few other orders of
        the same runs show; in at most 5 % of such pages one is false. Points stand in order, not to scale of time;
        stripes are kernels.
      </p>
    </>
  );
}

function MetricSelect({
  metrics,
  search,
  change,
}: {
  metrics: readonly MetricView[];
  search: TrendsSearch;
  change: Change;
}): ReactNode {
  const suites = [...new Set(metrics.map(({ suite }) => suite))];
  const value = search.suite !== undefined && search.metric !== undefined ? `${search.suite}/${search.metric}` : '';
  const isKnown = metrics.some(({ suite, name }) => `${suite}/${name}` === value);
  return (
    <label className="inline-field">
      <span>Metric</span>
      <select
        value={value}
        onChange={(event) => {
          const next = metrics.find(({ suite, name }) => `${suite}/${name}` === event.target.value);
          change({ suite: next?.suite, metric: next?.name });
        }}
      >
        <option value="">choose a metric</option>
        {!isKnown && value !== '' && <option value={value}>{value}</option>}
        {suites.map((suite) => (
          <optgroup key={suite} label={suite}>
            {metrics
              .filter((metric) => metric.suite === suite)
              .map(({ name, unit }) => (
                <option key={name} value={`${suite}/${name}`}>
                  {name} ({unitText(unit)})
                </option>
              ))}
          </optgroup>
        ))}
      </select>
    </label>
  );
}

/** The choices are those of the unfiltered trend, and the current one. */
function Filters({ chosen, change }: { chosen: Chosen; change: Change }): ReactNode {
  const { suite, metric, combination, build } = chosen;
  const lines = useQuery(trendQuery({ suite, metric })).data?.lines ?? [];
  const combinations = new Map(lines.map((line) => [line.combination.hash, line.combination.label]));
  if (combination !== undefined && !combinations.has(combination)) {
    combinations.set(combination, combination.slice(0, 8));
  }
  const builds = [...new Set([...lines.map((line) => line.build), ...(build === undefined ? [] : [build])])].toSorted();
  return (
    <>
      <label className="inline-field">
        <span>Combination</span>
        <select
          value={combination ?? ''}
          onChange={(event) => change({ combination: event.target.value || undefined })}
        >
          <option value="">all</option>
          {[...combinations].map(([hash, label]) => (
            <option key={hash} value={hash}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label className="inline-field">
        <span>Build</span>
        <select value={build ?? ''} onChange={(event) => change({ build: event.target.value || undefined })}>
          <option value="">all</option>
          {builds.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}
