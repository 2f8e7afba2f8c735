import { Link } from '@tanstack/react-router';
import { changePoints, type ChangePoint, type TrendLine } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { KernelName } from '../runs/KernelName.js';
import { countText, numberText } from '../ui/numbers.js';
import { Ago } from '../ui/time.js';
import { PathChip } from '../ui/verdict.js';
import { percentText } from './chart.js';

/** The numbers of the charts, newest first, one table for each line. */
export function TrendTable({ lines }: { lines: readonly TrendLine[] }): ReactNode {
  return lines.map((line) => <LineTable key={lineName(line)} line={line} />);
}

function LineTable({ line }: { line: TrendLine }): ReactNode {
  const { combination, build, unit, better, points } = line;
  const changes = changePoints(points);
  const rows = points.map((point, index) => ({ point, index })).toReversed();
  return (
    <section aria-label={lineName(line)}>
      <h2 className="row">
        <PathChip kind={combination.identity.pathKind} /> {build}
        <span className="muted">{combination.label}</span>
      </h2>
      <table className="list">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Kernel</th>
            <th scope="col" className="right">
              Median, {unit}
            </th>
            <th scope="col" className="right">
              Quartiles
            </th>
            <th scope="col" className="right">
              n
            </th>
            <th scope="col">Change ({better} is better)</th>
            <th scope="col">Machine</th>
            <th scope="col">Evidence</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ point, index }) => (
            <tr key={index}>
              <td data-label="When">
                <Ago at={point.at} />
              </td>
              <td data-label="Kernel">
                <span>
                  <KernelName kernel={point.kernel} />
                </span>
              </td>
              <td data-label={`Median, ${unit}`} className="number right">
                {numberText(point.median)}
              </td>
              <td data-label="Quartiles" className="number right">
                {numberText(point.lowerQuartile)} … {numberText(point.upperQuartile)}
              </td>
              <td data-label="n" className="number right">
                {countText(point.n)}
              </td>
              <td data-label="Change">
                <ChangeText line={line} change={changes.find((change) => change.index === index)} />
              </td>
              <td data-label="Machine">
                {point.machine !== null && (
                  <Link to="/machines/$machine" params={{ machine: point.machine }}>
                    {point.machine}
                  </Link>
                )}
              </td>
              <td data-label="Evidence">
                <Link to="/attempts/$attempt" params={{ attempt: point.attemptId }}>
                  attempt
                </Link>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function ChangeText({ line, change }: { line: TrendLine; change: ChangePoint | undefined }): ReactNode {
  const before = line.points[(change?.index ?? 0) - 1];
  const after = line.points[change?.index ?? 0];
  if (change === undefined || before === undefined || after === undefined) return null;
  const isBetter = (change.direction === 'down') === (line.better === 'lower');
  return (
    <span className={`change ${isBetter ? 'tone-good' : 'tone-bad'}`}>
      {percentText(before.median, after.median)} {isBetter ? 'better' : 'worse'}
    </span>
  );
}

const lineName = ({ combination, build, unit }: TrendLine): string => `${build} on ${combination.label}, ${unit}`;
