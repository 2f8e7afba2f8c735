import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import {
  bootsText,
  buildOfSide,
  OVERVIEW_POINTS_MAX,
  unitText,
  type OverviewLine,
  type TrendOverview,
} from '@peerlab/contracts';
import { useState, type ReactNode } from 'react';
import { trendOverviewQuery } from '../api/over-time.js';
import { CombinationName } from '../compare/CombinationName.js';
import { useFirst } from '../ui/first.js';
import { countText, numberText } from '../ui/numbers.js';
import { RatiosOnly } from '../ui/RatiosOnly.js';
import { QuerySection } from '../ui/section.js';
import { Ago } from '../ui/time.js';
import { movedText, nearestPoint, SPARK, sparkOf } from './spark.js';

/** Charts drawn at first; the rest on request. */
const FIRST_CHARTS = 60;

/** Every metric on every combination as a small chart, those that changed most first. */
export function Overview({ matches }: { matches: (text: string) => boolean }): ReactNode {
  const query = useQuery(trendOverviewQuery());
  return (
    <QuerySection query={query} what="the overview">
      {(overview) => <Charts overview={overview} matches={matches} />}
    </QuerySection>
  );
}

function Charts({ overview, matches }: { overview: TrendOverview; matches: (text: string) => boolean }): ReactNode {
  const { combinations, lines, linesTotal, isCut } = overview;
  const matching = lines.filter((line) =>
    matches(`${line.suite}/${line.metric} ${buildOfSide(line)} ${combinations[line.combination]?.label ?? ''}`),
  );
  const { shown, rest } = useFirst(matching, FIRST_CHARTS, 'charts');
  const moved = matching.filter(({ change }) => change !== null).length;
  return (
    <>
      <p className="totals">
        <strong className="number">{countText(matching.length)}</strong> {matching.length === 1 ? 'line' : 'lines'}, of
        which <strong className="number">{countText(moved)}</strong> changed; those that changed most come first.
        {shown.length < matching.length && ` ${countText(shown.length)} of them are shown.`}
      </p>
      <RatiosOnly combinations={combinations} />
      {(linesTotal > lines.length || isCut) && (
        <p className="notice notice-warn">
          {linesTotal > lines.length &&
            `${countText(lines.length)} of ${countText(linesTotal)} lines are here, those that changed most. `}
          {isCut &&
            `Of each metric the newest ${countText(OVERVIEW_POINTS_MAX)} measurements are read; open one for more.`}
        </p>
      )}
      {matching.length === 0 && <p className="muted">No metric matches the filter.</p>}
      <ul className="spark-cards">
        {shown.map((line) => (
          <SparkCard
            key={[line.suite, line.metric, line.unit, line.better, line.combination, buildOfSide(line)].join('\n')}
            line={line}
            overview={overview}
          />
        ))}
      </ul>
      {rest}
      <p className="muted trend-note">
        One line for each metric, combination and build name; a point is the median of one boot. The axis is logarithmic
        around the middle of the line and has one of a few lengths, named below each chart: charts with the same axis
        compare by eye. Better and worse are said where the level moved between two kernels with three runs or more on
        each side; the newest boot alone is no verdict.
      </p>
    </>
  );
}

function SparkCard({ line, overview }: { line: OverviewLine; overview: TrendOverview }): ReactNode {
  const { suite, metric, unit, medians, attempts, n, at, change } = line;
  const [pointed, setPointed] = useState<number | null>(null);
  const combination = overview.combinations[line.combination];
  const spark = sparkOf(medians);
  const { text, tone } = movedText(line);
  const { width, height } = SPARK;
  const index = pointed ?? medians.length - 1;
  const dot = spark?.points[index];
  return (
    <li className="card spark-card">
      <p className="spark-head">
        <CombinationName combination={combination} />{' '}
        <Link to="/trends" search={{ suite, metric, combination: combination?.hash }} className="strong">
          {metric}
        </Link>{' '}
        <span className="muted">{buildOfSide(line)}</span>
      </p>
      <p>
        <span className={tone === null ? 'muted' : `change tone-${tone}`}>{text}</span>
      </p>
      {spark === null ? (
        <p className="muted">No chart: a value is not above zero.</p>
      ) : (
        <svg
          viewBox={`0 0 ${width} ${height}`}
          className="spark"
          aria-hidden="true"
          onPointerMove={(event) => {
            const { left, width: room } = event.currentTarget.getBoundingClientRect();
            setPointed(nearestPoint(medians.length, event.clientX, left, room));
          }}
          onPointerLeave={() => setPointed(null)}
        >
          <line x1="0" x2={width} y1={height / 2} y2={height / 2} className="chart-rule" />
          {change !== null && spark.points[change.index] !== undefined && (
            <line
              x1={spark.points[change.index]?.x}
              x2={spark.points[change.index]?.x}
              y1="0"
              y2={height}
              className={`spark-change tone-${tone ?? 'quiet'}`}
            />
          )}
          <path d={spark.path} className="chart-line" />
          {dot !== undefined && <circle cx={dot.x} cy={dot.y} r="3" className="chart-dot" />}
        </svg>
      )}
      <p className="spark-value">
        <Link to="/attempts/$attempt" params={{ attempt: attempts[index] ?? '' }} className="number strong">
          {numberText(medians[index] ?? 0)}
        </Link>{' '}
        {unitText(unit)}{' '}
        <span className="muted">{pointed === null ? <Ago at={at} /> : `boot ${index + 1} of ${medians.length}`}</span>
      </p>
      <p className="muted spark-axis">
        {bootsText(medians.length)}, n = {countText(n)}
        {spark !== null && ` · axis ${spark.axis}`}
      </p>
    </li>
  );
}
