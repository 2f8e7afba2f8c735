import { z } from 'zod';
import type { RedfishBmc } from '../bmc.js';
import { defineDriver } from '../driver.js';
import type { Power } from '../protocols.js';
import { type SwitchPace, switchedPower } from '../switched-power.js';
import { RedfishSystem } from './redfish.js';

/** Power of a server through the Redfish service of its BMC. */
export function createRedfishPower(bmc: RedfishBmc, pace?: SwitchPace): Power {
  const system = new RedfishSystem(bmc);
  return switchedPower(
    {
      name: `Redfish at ${bmc.url}`,
      tellsState: true,
      state: (signal) => system.state(signal),
      on: (signal) => system.reset(['On', 'ForceOn'], signal),
      off: (signal) => system.reset(['ForceOff'], signal),
      reset: (signal) => system.reset(['ForceRestart', 'PowerCycle'], signal),
    },
    pace,
  );
}

export const redfishPower = defineDriver({
  schema: z.strictObject({ driver: z.literal('redfish'), bmc: z.string().min(1) }),
  paths: [],
  create: ({ bmc }, context) => createRedfishPower(context.bmc(bmc) as RedfishBmc),
});
