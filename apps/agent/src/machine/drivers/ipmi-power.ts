import { z } from 'zod';
import type { IpmiBmc } from '../bmc.js';
import { defineDriver } from '../driver.js';
import type { Power } from '../protocols.js';
import { type SwitchPace, switchedPower } from '../switched-power.js';
import { runIpmitool } from './ipmitool.js';

/** Power of a server through the IPMI of its BMC. */
export function createIpmiPower(bmc: IpmiBmc, pace?: SwitchPace): Power {
  const order = (word: string) => async (signal?: AbortSignal) => {
    await runIpmitool(bmc, ['chassis', 'power', word], signal);
  };
  return switchedPower(
    {
      name: `BMC ${bmc.host}`,
      tellsState: true,
      async state(signal) {
        const text = await runIpmitool(bmc, ['chassis', 'power', 'status'], signal);
        if (/Chassis Power is on/i.test(text)) return 'on';
        return /Chassis Power is off/i.test(text) ? 'off' : 'unknown';
      },
      on: order('on'),
      off: order('off'),
      reset: order('reset'),
    },
    pace,
  );
}

export const ipmiPower = defineDriver({
  schema: z.strictObject({ driver: z.literal('ipmi'), bmc: z.string().min(1) }),
  paths: [],
  create: ({ bmc }, context) => createIpmiPower(context.bmc(bmc) as IpmiBmc),
});
