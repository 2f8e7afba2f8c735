import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { metricPath, type Combination, type HardwareComparison, type HardwareSide } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { hardwareQuery } from '../api/compare.js';
import { ChangeTable } from '../compare/ChangeTable.js';
import { CompareModes } from '../compare/CompareModes.js';
import { hardwareFacts } from '../compare/hardware-facts.js';
import { MetricChanges } from '../compare/MetricChanges.js';
import { useKeys } from '../keys.js';
import { KernelName } from '../runs/KernelName.js';
import type { HardwareSearch } from '../search.js';
import { FilterField } from '../ui/FilterField.js';
import { ListTable } from '../ui/ListTable.js';
import { readPattern } from '../ui/pattern.js';
import { Empty, QuerySection, useTitle } from '../ui/section.js';
import { PathChip } from '../ui/verdict.js';
import { SideFrame } from '../compare/SideFrame.js';

const route = getRouteApi('/compare/hardware');

/** One kernel on two combinations of hardware side by side. */
export function HardwarePage(): ReactNode {
  useTopics('grid');
  const { build, a, b, rows, q } = route.useSearch();
  const navigate = route.useNavigate();
  const query = useQuery({
    ...hardwareQuery({ build, a, b, rows: rows ?? 'changed' }),
    placeholderData: keepPreviousData,
  });
  const pattern = useMemo(() => readPattern(q), [q]);
  const change = (next: Partial<HardwareSearch>, replace = false): void =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace, resetScroll: false });
  const sides = query.data?.comparison;
  const swap = (): void => {
    if (sides != null) change({ a: sides.b.combination.hash, b: sides.a.combination.hash });
  };
  useKeys({ swapSides: swap });
  useTitle(sides == null ? 'Compare hardware' : `${kindOf(sides.a)} → ${kindOf(sides.b)} on ${sides.kernel.name}`);
  return (
    <>
      <div className="page-head">
        <h1>Compare hardware</h1>
        <CompareModes on="hardware" />
        <FilterField
          label="Filter tests and metrics"
          placeholder="Filter: regex, ! to exclude   ( / )"
          value={q ?? ''}
          problem={pattern.problem}
          onChange={(next) => change({ q: next || undefined }, true)}
        />
        <label className="inline-field">
          <input
            type="checkbox"
            checked={rows === 'all'}
            onChange={(event) => change({ rows: event.target.checked ? 'all' : undefined })}
          />
          <span>show tests that agree too</span>
        </label>
      </div>
      <QuerySection query={query} what="the comparison">
        {(data) => <Chosen data={data} matches={pattern.matches} isAll={rows === 'all'} change={change} swap={swap} />}
      </QuerySection>
    </>
  );
}

const kindOf = ({ combination }: HardwareSide): string => combination.identity.pathKind;

function Chosen({
  data,
  matches,
  isAll,
  change,
  swap,
}: {
  data: HardwareComparison;
  matches: (text: string) => boolean;
  isAll: boolean;
  change: (next: Partial<HardwareSearch>) => void;
  swap: () => void;
}): ReactNode {
  const { kernels, isCut, combinations, comparison } = data;
  if (comparison === null) {
    return (
      <Empty
        title={
          combinations.length === 1
            ? 'This kernel ran on one combination only.'
            : 'No kernel ran on two combinations yet.'
        }
      >
        <p>
          <Link to="/submit">Submit a run</Link> of one build on machines of two combinations.
        </p>
      </Empty>
    );
  }
  const { kernel, a, b, rows, metrics } = comparison;
  const isListed = kernels.some(({ id }) => id === kernel.id);
  return (
    <>
      <div className="sides">
        <SideChoice
          name="A"
          side={a}
          all={combinations}
          other={b}
          onChange={(hash) => change({ a: hash, b: b.combination.hash })}
        />
        <button type="button" className="swap" title="Swap the sides (x)" aria-label="swap the sides" onClick={swap}>
          <span aria-hidden="true">⇄</span>
        </button>
        <SideChoice
          name="B"
          side={b}
          all={combinations}
          other={a}
          onChange={(hash) => change({ a: a.combination.hash, b: hash })}
        />
      </div>
      <p className="row">
        <label className="inline-field">
          <span>Kernel</span>
          <select value={kernel.id} onChange={(event) => change({ build: event.target.value })}>
            {!isListed && <option value={kernel.id}>{kernel.name}</option>}
            {kernels.map(({ id, name, release }) => (
              <option key={id} value={id}>
                {name} · {release ?? 'release unknown'}
              </option>
            ))}
          </select>
        </label>
        <KernelName kernel={kernel} />
        {isCut && <span className="muted">the newest {kernels.length} kernels that ran on two combinations</span>}
      </p>
      <section aria-labelledby="hardware-head">
        <h2 id="hardware-head">Hardware</h2>
        <ListTable
          rows={hardwareFacts(a, b)}
          keyOf={({ name }) => name}
          columns={[
            {
              name: 'What',
              render: ({ name, isSame }) => (isSame ? <span className="muted">{name}</span> : <strong>{name}</strong>),
            },
            { name: 'A', render: (fact) => fact.a },
            { name: 'B', render: (fact) => (fact.isSame ? <span className="muted">the same</span> : fact.b) },
          ]}
        />
      </section>
      <ChangeTable
        comparison={comparison}
        combinations={[{ combination: b.combination, counts: comparison.counts }]}
        isHardware
        rows={rows.filter(({ suite, test }) => matches(`${suite}/${test}`))}
        isAll={isAll}
      />
      <MetricChanges
        all={metrics}
        total={comparison.metricsTotal}
        metrics={metrics.filter((metric) => matches(metricPath(metric)))}
        hardware={() => undefined}
        shown={[a.combination, b.combination]}
        more={
          <>
            Run this kernel with <code>repeat: 5</code>: <Link to="/submit">submit a run</Link>.
          </>
        }
      />
    </>
  );
}

function SideChoice({
  name,
  side,
  all,
  other,
  onChange,
}: {
  name: 'A' | 'B';
  side: HardwareSide;
  all: readonly Combination[];
  other: HardwareSide;
  onChange: (hash: string) => void;
}): ReactNode {
  return (
    <SideFrame name={name}>
      <label>
        <span>Combination</span>
        <select value={side.combination.hash} onChange={(event) => onChange(event.target.value)}>
          {all
            .filter(({ hash }) => hash !== other.combination.hash)
            .map(({ hash, label }) => (
              <option key={hash} value={hash}>
                {label}
              </option>
            ))}
        </select>
      </label>
      <p className="side-kernel">
        <PathChip kind={side.combination.identity.pathKind} />{' '}
        {side.machines.map((machine) => (
          <Link key={machine} to="/machines/$machine" params={{ machine }}>
            {machine}{' '}
          </Link>
        ))}
        <span className="muted">
          {side.isCut && 'the newest '}
          {side.attempts} {side.attempts === 1 ? 'attempt' : 'attempts'}
        </span>
      </p>
    </SideFrame>
  );
}
