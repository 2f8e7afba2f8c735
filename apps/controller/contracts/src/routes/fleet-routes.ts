import { z } from 'zod';
import { Name } from '../schema/ids.js';
import { InventoryHistory } from '../schema/inventory-history.js';
import { MACHINE_ATTEMPTS_MAX, MachineAttempt } from '../schema/machine-attempts.js';
import {
  MACHINE_CHANGES_MAX,
  MACHINE_QUEUE_MAX,
  MachineChange,
  MachineReason,
  MachineUse,
  WaitingJob,
} from '../schema/machine-use.js';
import { Fleet, MachineView } from '../schema/machines.js';
import { MachineDesired } from '../schema/states.js';
import type { Route } from './route.js';

/** Routes of machines and agents. */
export const FLEET_ROUTES = {
  getFleet: { method: 'GET', path: '/api/v1/fleet', access: 'read', response: Fleet },
  getMachine: {
    method: 'GET',
    path: '/api/v1/machines/:machine',
    access: 'read',
    params: z.object({ machine: Name }),
    response: MachineView,
  },
  /** The newest attempts on it, newest first. */
  listMachineAttempts: {
    method: 'GET',
    path: '/api/v1/machines/:machine/attempts',
    access: 'read',
    params: z.object({ machine: Name }),
    response: z.array(MachineAttempt).max(MACHINE_ATTEMPTS_MAX),
  },
  /** What was different when, newest first. */
  getInventoryHistory: {
    method: 'GET',
    path: '/api/v1/machines/:machine/inventories',
    access: 'read',
    params: z.object({ machine: Name }),
    response: InventoryHistory,
  },
  /** What all machines have to do, by name. */
  listMachineUse: {
    method: 'GET',
    path: '/api/v1/fleet/use',
    access: 'read',
    isHeavy: true,
    response: z.array(MachineUse),
  },
  /** Who wanted what of it when and why, newest first. */
  listMachineChanges: {
    method: 'GET',
    path: '/api/v1/machines/:machine/changes',
    access: 'read',
    params: z.object({ machine: Name }),
    response: z.array(MachineChange).max(MACHINE_CHANGES_MAX),
  },
  /** The first jobs that wait for it, in the order in which they will start. */
  listMachineQueue: {
    method: 'GET',
    path: '/api/v1/machines/:machine/queue',
    access: 'read',
    params: z.object({ machine: Name }),
    response: z.array(WaitingJob).max(MACHINE_QUEUE_MAX),
  },
  /** Changes what is wanted of it. The reason is shown to everyone and kept. */
  setMachine: {
    method: 'PATCH',
    path: '/api/v1/machines/:machine',
    access: 'user',
    params: z.object({ machine: Name }),
    body: z.strictObject({ desired: MachineDesired, reason: MachineReason }),
    response: MachineView,
  },
  /** Gives a machine to another agent, of any site. 409 while it is leased. */
  moveMachine: {
    method: 'POST',
    path: '/api/v1/machines/:machine/move',
    access: 'user',
    params: z.object({ machine: Name }),
    body: z.strictObject({ agent: Name }),
    response: MachineView,
  },
  /** Frees the name of a machine for the next agent that names it. 409 while it is leased or its agent names it. */
  forgetMachine: {
    method: 'POST',
    path: '/api/v1/machines/:machine/forget',
    access: 'user',
    params: z.object({ machine: Name }),
    /** `removed`: nothing refers to the machine, so its record is gone; otherwise its history stays. */
    response: z.object({ removed: z.boolean() }),
  },
  /** Gives an agent, with its machines, to a site. 409 while a machine of it is leased. */
  moveAgent: {
    method: 'POST',
    path: '/api/v1/agents/:agent/move',
    access: 'user',
    params: z.object({ agent: Name }),
    body: z.strictObject({ site: Name }),
    response: z.object({ agent: Name, site: Name, machines: z.number().int() }),
  },
} as const satisfies Record<string, Route>;
