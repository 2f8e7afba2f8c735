import {
  inventoryDrift,
  SOLE_ROLE,
  type AgentView,
  type AttemptDetail,
  type ExpectedStart,
  type InventoryHistory,
  type MachineAttempt,
  type MachineUse,
  type MachineView,
  type WaitingJob,
  type RunDetail,
} from '@peerlab/contracts';

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();

/** The attempts of the sample farm on one machine, newest first. */
export function machineAttempts(machine: string, attempts: readonly AttemptDetail[]): MachineAttempt[] {
  return attempts
    .filter((attempt) => attempt.machine === machine)
    .toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1))
    .map(({ id, number, state, run, build, results, failure, startedAt, endedAt, streams, suspects }) => ({
      id,
      number,
      role: SOLE_ROLE,
      state,
      run,
      build,
      verdict: state === 'ended' ? (results.find(({ verdict }) => verdict !== 'pass')?.verdict ?? 'pass') : null,
      isSuspect: suspects.length > 0,
      failure: failure?.class ?? null,
      startedAt,
      endedAt,
      serialLines: streams.find(({ stream }) => stream === 'serial')?.lines ?? 0,
    }));
}

/** The machine as it is, as it was before a kernel update, and before a card was moved. */
export function sampleDrift(machine: MachineView): InventoryHistory {
  const { inventory } = machine;
  if (inventory === null) return { inventories: [] };
  const older = {
    ...inventory,
    kernel: { ...inventory.kernel, release: '6.1.0-35-cloud-amd64', buildId: '0f0e0d0c0b0a09080706' },
  };
  const oldest = {
    ...older,
    iommu: 'translated' as const,
    functions: older.functions.filter(({ vendor, device }) => `${vendor}:${device}` !== '1234:11e8'),
  };
  return {
    inventories: [
      { seenAt: ago(7200), hardware: '4e8a20c7d915', state: 'b35f17e09a4c', changes: inventoryDrift(older, inventory) },
      { seenAt: ago(400_000), hardware: '4e8a20c7d915', state: '7d0c62f1e8b3', changes: inventoryDrift(oldest, older) },
      { seenAt: ago(4_000_000), hardware: '9c41b07e33d2', state: '0fd1a4c2be76', changes: null },
    ],
  };
}

/** When a job of a plan could start in the sample farm. */
export function planStart(machine: MachineView, needsBuild: boolean): ExpectedStart {
  if (machine.observed === 'offline') {
    if (machine.problem === null) {
      const text = `${machine.name} is offline: its agent ${machine.agent} is silent`;
      return { when: 'blocked', inMs: null, text, lastSeenAt: machine.lastSeenAt };
    }
    return { when: 'blocked', inMs: null, text: `${machine.name} is offline: ${machine.problem}`, lastSeenAt: null };
  }
  if (needsBuild) return { when: 'build', inMs: 540_000, text: 'after its build, about 9 min', lastSeenAt: null };
  if (machine.lease === null) return { when: 'now', inMs: 0, text: `now on ${machine.name}`, lastSeenAt: null };
  return { when: 'queue', inMs: 360_000, text: `3rd in line for ${machine.name}, about 6 min`, lastSeenAt: null };
}

/** The first machine is used more than the others, and jobs wait for it. */
export function sampleUse(machines: readonly MachineView[]): MachineUse[] {
  return machines.map(({ name }, place) => ({
    machine: name,
    queued: place === 0 ? 2 : 0,
    days: [0.8, 0.7, 0.9, 0.4, 0, 0.6, 0.75].map((share) => share / (place + 1)),
  }));
}

export function sampleQueue(machine: string, run: RunDetail): WaitingJob[] {
  if (machine !== 'v-switch') return [];
  return ['base', 'my-series'].map((build, place) => ({
    jobId: `00000000-0000-4000-8000-00000000000${place}`,
    run: { id: run.id, name: run.name },
    build,
    priority: 50,
    queuedAt: ago(300 - place),
  }));
}

export const sampleAgents = (): AgentView[] => [
  {
    name: 'lab-1',
    site: 'virtual',
    version: '0.1.0',
    capabilities: ['test', 'build'],
    connected: true,
    lastSeenAt: new Date().toISOString(),
  },
];
