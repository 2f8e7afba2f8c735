import { Link } from '@tanstack/react-router';
import { bootsText, buildOfSide, hardwareOfRole, unitText, type ChangePoint, type TrendLine } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import type { TrendsSearch } from '../search.js';
import { countText, numberText } from '../ui/numbers.js';
import { Ago } from '../ui/time.js';
import { PathChip } from '../ui/verdict.js';
import type { Axis } from './chart.js';
import { TrendChart } from './TrendChart.js';

/** One series with its chart: combination, build, which direction is better, and the newest value. */
export function TrendCard({
  line,
  changes,
  chosen,
  axis,
}: {
  line: TrendLine;
  changes: readonly ChangePoint[];
  chosen: TrendsSearch;
  axis: Axis;
}): ReactNode {
  const { combination, unit, better, points } = line;
  const newest = points.at(-1);
  const boots = new Set(points.map(({ attemptId }) => attemptId)).size;
  const n = points.reduce((sum, point) => sum + point.n, 0);
  return (
    <article className="card trend-card">
      <header>
        <h2>
          <PathChip kind={hardwareOfRole(combination.identity, line.role ?? '').pathKind} /> {buildOfSide(line)}
        </h2>
        {newest !== undefined && (
          <p className="trend-newest">
            <strong className="number">{numberText(newest.median)}</strong> {unitText(unit)}
          </p>
        )}
        <p className="muted trend-where">
          {chosen.combination === combination.hash ? (
            combination.label
          ) : (
            <Link to="/trends" search={{ ...chosen, combination: combination.hash }} title="show only this one">
              {combination.label}
            </Link>
          )}
        </p>
        <p className="muted trend-when">
          <span title={`${better} is better`} aria-hidden="true">
            {better === 'lower' ? '↓' : '↑'}
          </span>
          <span className="unseen">{better} is better</span>
          {newest !== undefined && (
            <>
              {' '}
              · {bootsText(boots)}, n = {countText(n)} · <Ago at={newest.at} />
            </>
          )}
        </p>
      </header>
      <TrendChart line={line} changes={changes} axis={axis} />
    </article>
  );
}
