import { Link } from '@tanstack/react-router';
import { buildOfSide, hardwareOfRole, unitText, type ChangePoint, type TrendLine } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { KernelName } from '../runs/KernelName.js';
import { ListTable } from '../ui/ListTable.js';
import { countText, numberText } from '../ui/numbers.js';
import { Ago } from '../ui/time.js';
import { PathChip } from '../ui/verdict.js';
import { percentText } from './chart.js';

/** The numbers of the charts, newest first, one table for each line. */
export function TrendTable({
  lines,
  changes,
}: {
  lines: readonly TrendLine[];
  /** By line. */
  changes: readonly (readonly ChangePoint[])[];
}): ReactNode {
  return lines.map((line, index) => <LineTable key={lineName(line)} line={line} changes={changes[index] ?? []} />);
}

function LineTable({ line, changes }: { line: TrendLine; changes: readonly ChangePoint[] }): ReactNode {
  const { combination, unit, better, points } = line;
  const rows = points.map((point, index) => ({ point, index })).toReversed();
  return (
    <section aria-label={lineName(line)}>
      <h2 className="row">
        <PathChip kind={hardwareOfRole(combination.identity, line.role ?? '').pathKind} /> {buildOfSide(line)}
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
  if (change === undefined) return null;
  const isBetter = (change.direction === 'down') === (line.better === 'lower');
  return (
    <span className={`change ${isBetter ? 'tone-good' : 'tone-bad'}`}>
      {percentText(change.before, change.after)} {isBetter ? 'better' : 'worse'}
    </span>
  );
}

const lineName = (line: TrendLine): string =>
  `${buildOfSide(line)} on ${line.combination.label}, ${unitText(line.unit)}`;
