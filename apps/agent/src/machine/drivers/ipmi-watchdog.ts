import { z } from 'zod';
import type { IpmiBmc } from '../bmc.js';
import { defineDriver } from '../driver.js';
import { MachineError } from '../errors.js';
import type { Watchdog } from '../protocols.js';
import { runIpmitool } from './ipmitool.js';

/** What the timer is for: ours is that of an operating system that is loaded. */
const OS_LOAD = 0x03;
const USES = ['unspecified', 'BIOS FRB2', 'BIOS/POST', 'OS load', 'SMS/OS', 'OEM'];
const ACTIONS = ['none', 'a hard reset', 'power down', 'a power cycle'];
const HARD_RESET = 0x01;
const NO_ACTION = 0x00;
const CLEAR_FLAGS = 0x3e;
/** It counts tenths of a second in sixteen bits. */
const LONGEST_MS = 6_553_000;
const TICK_MS = 100;

const byte = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`;

/** The BMC's answer to Get Watchdog Timer, which `ipmitool mc watchdog get` shows in words. */
interface Timer {
  running: boolean;
  use: number;
  /** At its end. */
  action: number;
  initialMs: number;
  /** null = the BMC does not tell. */
  leftMs: number | null;
}

/** What `ipmitool raw 0x06 0x25` prints: six bytes in hex, and two more on most BMCs. Throws MachineError. */
export function readTimer(text: string): Timer {
  const bytes = text
    .trim()
    .split(/\s+/)
    .map((word) => Number.parseInt(word, 16));
  const [use = Number.NaN, action = Number.NaN, , , low = Number.NaN, high = Number.NaN, leftLow, leftHigh] = bytes;
  if (!Number.isInteger(use) || !Number.isInteger(low) || !Number.isInteger(high)) {
    throw new MachineError(
      'watchdog',
      `the BMC did not say what its watchdog does: ${JSON.stringify(text.slice(0, 100))}`,
    );
  }
  const left = (leftLow ?? Number.NaN) + 256 * (leftHigh ?? Number.NaN);
  return {
    running: (use & 0x40) !== 0,
    use: use & 0x07,
    action: action & 0x07,
    initialMs: (low + 256 * high) * TICK_MS,
    leftMs: Number.isInteger(left) ? left * TICK_MS : null,
  };
}

/** The watchdog timer of a BMC, set over the network: it counts through reboots, whatever the machine does. */
export function createIpmiWatchdog(bmc: IpmiBmc): Watchdog {
  const set = async (use: number, action: number, timeoutMs: number, signal?: AbortSignal): Promise<void> => {
    const ticks = Math.min(Math.max(1, Math.ceil(timeoutMs / TICK_MS)), 0xffff);
    const words = [use, action, 0, CLEAR_FLAGS, ticks & 0xff, ticks >> 8].map(byte);
    await runIpmitool(bmc, ['raw', '0x06', '0x24', ...words], signal);
  };
  const read = async (signal?: AbortSignal) => readTimer(await runIpmitool(bmc, ['raw', '0x06', '0x25'], signal));
  return {
    name: `watchdog of BMC ${bmc.host}`,
    longestMs: LONGEST_MS,

    async foreignUser(_session, signal) {
      const { running, use } = await read(signal);
      return running && use !== OS_LOAD ? `it runs for ${USES[use] ?? `use ${use}`}` : null;
    },

    async arm(_session, timeoutMs, signal) {
      await set(OS_LOAD, HARD_RESET, timeoutMs, signal);
      await runIpmitool(bmc, ['raw', '0x06', '0x22'], signal);
      const { running } = await read(signal);
      if (!running)
        throw new MachineError(
          'watchdog',
          `the watchdog of BMC ${bmc.host} did not start`,
          'take watchdog: out of the config',
        );
    },

    async disarm(_session, signal) {
      await set(OS_LOAD, NO_ACTION, LONGEST_MS, signal);
      if ((await read(signal)).running)
        throw new MachineError(
          'watchdog',
          `the watchdog of BMC ${bmc.host} counts on`,
          'look at it by `ipmitool mc watchdog get`, and take watchdog: out of the config',
        );
    },

    async readBack(_session, signal) {
      const { running, action, leftMs } = await read(signal);
      if (action !== HARD_RESET)
        throw new MachineError(
          'watchdog',
          `the watchdog of BMC ${bmc.host} was set to a hard reset, and says that its action is ${ACTIONS[action] ?? `action ${action}`}`,
          'look at it by `ipmitool mc watchdog get`, and take watchdog: out of the config',
        );
      return { isRunning: running, leftMs, note: null };
    },
  };
}

export const ipmiWatchdog = defineDriver({
  schema: z.strictObject({ driver: z.literal('ipmi'), bmc: z.string().min(1) }),
  paths: [],
  create: ({ bmc }, context) => createIpmiWatchdog(context.bmc(bmc) as IpmiBmc),
});
