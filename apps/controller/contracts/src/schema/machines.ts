import { z } from 'zod';
import { Combination } from './combination.js';
import { Fence, Labels, Name } from './ids.js';
import { Inventory } from './inventory.js';
import { MachineCheck, MachineCheckRun } from './machine-check.js';
import { PeerPath } from './paths.js';
import { Reservation } from './reservations.js';
import { MachineDesired, MachineObserved } from './states.js';
import { Time } from './time.js';

export const MachineView = z.object({
  name: Name,
  site: Name,
  agent: Name,
  description: z.string(),
  labels: Labels,
  desired: MachineDesired,
  /** Who set the desired state, why and when. `name` null = the farm itself; null = it was never set. */
  desiredBy: z.object({ name: z.string().nullable(), reason: z.string().nullable(), at: Time }).nullable(),
  observed: MachineObserved,
  /** Why it is not usable, with a remedy; null when it is. */
  problem: z.string().nullable(),
  /** Why it takes nothing but its health check, until that passes; null = it serves. */
  unproven: z.string().nullable().default(null),
  /** The reservation that keeps it from jobs; absent = there is none. */
  reservation: Reservation.optional(),
  /** Its agent still has it in its configuration; if not, new runs leave it out. */
  configured: z.boolean(),
  /** Whether its agent runs suites that no bundle has. */
  runsOwnSuites: z.boolean().optional(),
  lastSeenAt: Time.nullable(),
  lease: z.object({ attemptId: z.uuid(), runId: z.uuid(), fence: Fence, expiresAt: Time }).nullable(),
  inventory: Inventory.nullable(),
  /** What the agent's newest look said about everything that the farm needs of it; null = it has not looked yet. */
  checks: z.object({ at: Time, list: z.array(MachineCheck) }).nullable(),
  /** What people had checked on the host of the agent, newest first: the newest run, and the newest that acted. */
  checkRuns: z.array(MachineCheckRun).default([]),
  /** By address. The suites use the first provider with the first client, so jobs and the grid speak of the first. */
  paths: z.array(PeerPath.extend({ combination: Combination })),
});
export type MachineView = z.infer<typeof MachineView>;

/** A machine among others: its inventory is as large as all the rest. */
export const MachineSummary = MachineView.omit({ inventory: true, checks: true, checkRuns: true });
export type MachineSummary = z.infer<typeof MachineSummary>;

export const AgentView = z.object({
  name: Name,
  site: Name,
  version: z.string(),
  capabilities: z.array(z.string()),
  connected: z.boolean(),
  lastSeenAt: Time.nullable(),
});
export type AgentView = z.infer<typeof AgentView>;

export const Fleet = z.object({ machines: z.array(MachineSummary), agents: z.array(AgentView) });
export type Fleet = z.infer<typeof Fleet>;
