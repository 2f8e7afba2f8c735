import { z } from 'zod';
import { AttemptAlarms, HardwareAlarmView, MACHINE_ALARMS_MAX } from '../schema/hardware-alarms.js';
import { MachineHealth } from '../schema/health.js';
import { Name } from '../schema/ids.js';
import { MachineReason } from '../schema/machine-use.js';
import type { Route } from './route.js';

/** Routes of the health of machines: their checks, and the alarms of their hardware. */
export const HEALTH_ROUTES = {
  /** Whether a machine serves, and how its checks ended. */
  getMachineHealth: {
    method: 'GET',
    path: '/api/v1/machines/:machine/health',
    access: 'read',
    params: z.object({ machine: Name }),
    response: MachineHealth,
  },
  /** Checks a machine now, or answers with the check that has not ended. 409 when a check cannot be planned. */
  checkMachine: {
    method: 'POST',
    path: '/api/v1/machines/:machine/health',
    access: 'user',
    params: z.object({ machine: Name }),
    body: z.strictObject({
      reason: MachineReason,
      /** It takes nothing else until it has passed. */
      hold: z.boolean().default(false),
    }),
    response: MachineHealth,
  },
  /** What the hardware told in the logs of an attempt: never a failure of its tests. */
  listAttemptAlarms: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/alarms',
    access: 'read',
    params: z.object({ attempt: z.uuid() }),
    response: AttemptAlarms,
  },
  /** The newest alarms of a machine, over all its attempts. */
  listMachineAlarms: {
    method: 'GET',
    path: '/api/v1/machines/:machine/alarms',
    access: 'read',
    params: z.object({ machine: Name }),
    response: z.array(HardwareAlarmView).max(MACHINE_ALARMS_MAX),
  },
} as const satisfies Record<string, Route>;
