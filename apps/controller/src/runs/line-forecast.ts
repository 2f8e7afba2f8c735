import { compareQueued, type BuildEstimate } from '@peerlab/contracts';
import { estimateBuild } from './build-durations.js';
import { leftOfBuildMs } from './build-forecast.js';
import { durationsBySuites, forecastStarts, leftMs, sharedSlots, type Slots } from './queue-forecast.js';
import { LINE_MAX, type LineJob, type QueueState } from './queue-state.js';

/** When a job is expected to start and to end, milliseconds from now; a build also what that is taken from. */
export interface JobForecast {
  startsInMs: number | null;
  endsInMs: number | null;
  estimate: BuildEstimate | null;
}

/** When everything in the line is expected to start and all that is open to end, by id, as far as it is known. Pure. */
export function forecastLine({
  machines,
  buildSlots,
  line,
  leased,
  samples,
  built,
}: QueueState): Map<string, JobForecast> {
  const found = new Map<string, JobForecast>();
  if (line.length > LINE_MAX) return found;
  const known = (ms: number | undefined): number | null => (ms === undefined || ms === Infinity ? null : ms);
  const estimateOf = (of: { size: string; isStored: boolean }): BuildEstimate => estimateBuild(of, built);
  const buildMs = (of: { size: string; isStored: boolean }): number => estimateOf(of).ms ?? Infinity;
  const ordered = line.toSorted(compareQueued);
  const builds = ordered.filter(({ kind }) => kind === 'build');
  const building = leased
    .filter(({ machine }) => machine === null)
    .map((each) => ({ ...each, leftMs: leftOfBuildMs(each.progress, { ...each, buildMs: buildMs(each) }) }));
  const ofBuilds = forecastStarts(
    builds.map((each) => ({ id: each.id, machines: [], durationMs: buildMs(each), readyInMs: each.readyInMs })),
    building.map(({ leftMs: ms }) => ({ machine: null, leftMs: ms })),
    sharedSlots(buildSlots),
  );
  const builtInMs = new Map<string, number>();
  for (const each of building) {
    builtInMs.set(each.buildId, each.leftMs);
    found.set(each.id, { startsInMs: null, endsInMs: known(each.leftMs), estimate: estimateOf(each) });
  }
  for (const each of builds) {
    const startsInMs = ofBuilds.get(each.id) ?? Infinity;
    const endsInMs = startsInMs + buildMs(each);
    builtInMs.set(each.buildId, endsInMs);
    found.set(each.id, { startsInMs: known(startsInMs), endsInMs: known(endsInMs), estimate: estimateOf(each) });
  }
  const durationOf = durationsBySuites(samples);
  const tests = ordered.filter(({ kind, machines: able }) => kind === 'test' && able.length > 0);
  const durations = new Map(tests.map(({ id, machines: able, suites }) => [id, durationOf(able[0] ?? '', suites)]));
  const running = leased
    .filter(({ machine }) => machine !== null)
    .map(({ id, machine, suites, elapsedMs }) => ({
      id,
      machine,
      leftMs: leftMs(durationOf(machine ?? '', suites), elapsedMs),
    }));
  const reserved = machines
    .filter(({ isReserved }) => isReserved)
    .map(({ name, reservedMs }) => ({
      machine: name,
      leftMs: (running.find(({ machine }) => machine === name)?.leftMs ?? 0) + (reservedMs ?? Infinity),
    }));
  const starts = forecastStarts(
    tests.map(({ id, machines: able, roles, readyInMs, isBlocked, buildIds }) => ({
      id,
      machines: able,
      roles,
      durationMs: durations.get(id) ?? Infinity,
      readyInMs: isBlocked ? Math.max(...buildIds.map((each) => builtInMs.get(each) ?? Infinity)) : readyInMs,
    })),
    [...running.filter(({ machine }) => !reserved.some((each) => each.machine === machine)), ...reserved],
    slotsOf(machines),
  );
  for (const [id, ms] of starts) {
    const endsInMs = known(ms + (durations.get(id) ?? Infinity));
    found.set(id, { startsInMs: known(ms), endsInMs, estimate: null });
  }
  for (const { id, leftMs: ms } of running) found.set(id, { startsInMs: null, endsInMs: known(ms), estimate: null });
  return found;
}

/** Machines of an agent with a limit share its slots; any other one has its own. */
function slotsOf(machines: QueueState['machines']): Slots {
  const groups = new Map(
    machines.map(({ name, agent, testSlots }) => [name, testSlots === null ? `machine ${name}` : `agent ${agent}`]),
  );
  const limits = new Map<string, number>(
    machines.flatMap(({ agent, testSlots }) => (testSlots === null ? [] : [[`agent ${agent}`, testSlots] as const])),
  );
  return {
    groupOf: (machine) => groups.get(machine ?? '') ?? `machine ${machine ?? ''}`,
    of: (group) => limits.get(group) ?? Infinity,
  };
}

/** How many jobs go before each one that may take one of the same machines, by id. */
export function placesOf(line: readonly LineJob[]): Map<string, number> {
  const places = new Map<string, number>();
  const counted = new Map<readonly string[], { machines: ReadonlySet<string>; jobs: number }>();
  for (const { id, kind, machines } of line.toSorted(compareQueued)) {
    if (kind === 'build') continue;
    const before = [...counted.values()].filter((each) => machines.some((name) => each.machines.has(name)));
    places.set(
      id,
      before.reduce((sum, { jobs }) => sum + jobs, 0),
    );
    const own = counted.get(machines) ?? { machines: new Set(machines), jobs: 0 };
    counted.set(machines, { ...own, jobs: own.jobs + 1 });
  }
  return places;
}
