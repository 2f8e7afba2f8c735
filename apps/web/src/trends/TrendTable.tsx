import { Link } from '@tanstack/react-router';
import { changePoints, unitText, type ChangePoint, type TrendLine } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { KernelName } from '../runs/KernelName.js';
import { ListTable } from '../ui/ListTable.js';
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
      <ListTable
        rows={rows}
        keyOf={({ index }) => index}
        columns={[
          { name: 'When', render: ({ point }) => <Ago at={point.at} /> },
          {
            name: 'Kernel',
            render: ({ point }) => (
              <span>
                <KernelName kernel={point.kernel} />
              </span>
            ),
          },
          {
            name: `Median, ${unitText(unit)}`,
            className: 'number right',
            render: ({ point }) => numberText(point.median),
          },
          {
            name: 'Quartiles',
            className: 'number right',
            render: ({ point }) => (
              <>
                {numberText(point.lowerQuartile)} … {numberText(point.upperQuartile)}
              </>
            ),
          },
          { name: 'n', className: 'number right', render: ({ point }) => countText(point.n) },
          {
            name: 'Change',
            head: `Change (${better} is better)`,
            render: ({ index }) => <ChangeText line={line} change={changes.find((change) => change.index === index)} />,
          },
          {
            name: 'Machine',
            render: ({ point }) =>
              point.machine !== null && (
                <Link to="/machines/$machine" params={{ machine: point.machine }}>
                  {point.machine}
                </Link>
              ),
          },
          {
            name: 'Evidence',
            render: ({ point }) => (
              <Link to="/attempts/$attempt" params={{ attempt: point.attemptId }}>
                attempt
              </Link>
            ),
          },
        ]}
      />
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

const lineName = ({ combination, build, unit }: TrendLine): string =>
  `${build} on ${combination.label}, ${unitText(unit)}`;
