import { runProgram } from '@peerlab/runtime';
import { cleanText } from '@peerlab/contracts';
import { z } from 'zod';
import { defineDriver } from '../driver.js';
import { MachineError } from '../errors.js';
import type { Power, PowerState } from '../protocols.js';
import { type SwitchPace, switchedPower } from '../switched-power.js';

/** A program and its arguments; no shell reads them. */
const Command = z.array(z.string().min(1).max(1000)).min(1).max(64);

const CommandPowerSettings = z.strictObject({
  driver: z.literal('command'),
  on: Command.describe('switches the machine on'),
  off: Command.describe('switches it off'),
  reset: Command.optional().describe('hard reset; without it: off and on'),
  state: Command.optional().describe('prints on or off; without it orders are believed'),
});
type CommandPowerSettings = z.infer<typeof CommandPowerSettings>;

const COMMAND_MS = 120_000;
const MESSAGE_MAX = 300;

/** Power by programs of the lab: a switched outlet (PDU), a relay, a script over anything. */
export function createCommandPower(
  machine: string,
  settings: Omit<CommandPowerSettings, 'driver'>,
  pace?: SwitchPace,
): Power {
  const run = async ([program = '', ...args]: readonly string[], signal?: AbortSignal): Promise<string> => {
    const what = `the power command ${program} of ${machine}`;
    const result = await runProgram(program, args, {
      timeoutMs: COMMAND_MS,
      env: { PATH: process.env['PATH'], LC_ALL: 'C', PEERLAB_MACHINE: machine },
      ...(signal === undefined ? {} : { signal }),
    }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw new MachineError(
        'power',
        `${what} could not be run: ${(error as Error).message}`,
        'correct power: in the config',
        error,
      );
    });
    if (result.code === 0) return result.stdout;
    const words = cleanText(result.stderr.trim() || result.stdout.trim(), MESSAGE_MAX);
    throw new MachineError('power', `${what} exited with ${result.code ?? 'a signal'}: ${words}`, 'run it by hand');
  };
  const order = (command: readonly string[]) => async (signal?: AbortSignal) => {
    await run(command, signal);
  };
  const { state } = settings;
  return switchedPower(
    {
      name: `the power command of ${machine}`,
      tellsState: state !== undefined,
      state: async (signal) => (state === undefined ? 'unknown' : stateOf(await run(state, signal))),
      on: order(settings.on),
      off: order(settings.off),
      reset: settings.reset === undefined ? null : order(settings.reset),
    },
    pace,
  );
}

/** The last word that it printed. */
function stateOf(text: string): PowerState {
  const word = text.trim().slice(-20).toLowerCase().split(/\s/).at(-1) ?? '';
  if (word === 'on' || word === '1') return 'on';
  return word === 'off' || word === '0' ? 'off' : 'unknown';
}

export const commandPower = defineDriver({
  schema: CommandPowerSettings,
  paths: [],
  create: (settings, { machine }) => createCommandPower(machine, settings),
});
