import { cleanText } from '@peerlab/contracts';
import { output, quote, script } from '../command.js';
import { MachineError } from '../errors.js';
import type { ConsoleStart, ConsoleStarter, Session } from '../protocols.js';
import { netconsoleArgument, type NetconsoleWay, readNetconsoleWay } from './netconsole-way.js';

const READ_MS = 120_000;
const OUTPUT_MAX_BYTES = 64 * 1024;
const SAID_MAX = 300;

/**
 * Where the running kernel has netconsole: `loaded` as a module, built in and `told` or `untold` by its command line,
 * `absent` so far. Of one that is built in there is a folder without the state of a module.
 */
const STATE = `if [ -e /sys/module/netconsole/initstate ]; then echo loaded
elif [ ! -d /sys/module/netconsole ]; then echo absent
else
  case " $(head -c 4096 /proc/cmdline) " in *" netconsole="*) echo told ;; *) echo untold ;; esac
fi`;

interface NetconsoleSettings {
  port: number;
  from: string;
  /** What kernels are told; null = what the machine's way to the agent makes of it. */
  argument: string | null;
}

/** What a person can be told of an error that leaves the session usable; null = it does not. */
function whyNot(error: unknown): string | null {
  if (!(error instanceof MachineError)) return null;
  return ['command-failed', 'output', 'settings'].includes(error.kind) ? error.advice : null;
}

function whyUntold({ device, driver, isDriverBuiltIn }: NetconsoleWay): string {
  const builtIn = 'netconsole is built in, and is told at boot alone';
  if (driver === null) return `${builtIn}, where ${device} is not there yet: it has no driver of its own`;
  if (!isDriverBuiltIn) return `${builtIn}, where ${device} is not there yet: its driver ${driver} is a module`;
  return `${builtIn}, and its command line has no netconsole=`;
}

/**
 * Makes kernels print by netconsole. One that has it as a module gets that loaded, once it answers; one that has it and the
 * driver of the network interface built in is told on its command line. Another cannot.
 */
export function netconsoleStarter({ argument, ...settings }: NetconsoleSettings): ConsoleStarter {
  const told = async (session: Session, signal?: AbortSignal): Promise<string> =>
    argument ?? netconsoleArgument(settings, await readNetconsoleWay(session, null, signal), 'name');

  const start = async (session: Session, signal?: AbortSignal): Promise<ConsoleStart> => {
    const limits = { timeoutMs: READ_MS, maxBytes: OUTPUT_MAX_BYTES, ...(signal === undefined ? {} : { signal }) };
    const state = (await output(session, script('netconsole-state', {}, STATE), limits)).trim();
    if (state === 'told') return { prints: true, began: false, how: 'netconsole is built in and on the command line' };
    if (state === 'loaded') return { prints: true, began: false, how: 'the machine itself has loaded netconsole' };
    if (state === 'untold') return { prints: false, why: whyUntold(await readNetconsoleWay(session, null, signal)) };
    const word = await told(session, signal);
    const load = script('netconsole-load', { argument: word }, `LC_ALL=C modprobe -- netconsole ${quote(word)}`);
    const result = await session.exec(load, limits);
    if (result.code === 0) return { prints: true, began: true, how: `netconsole is loaded, ${word}` };
    const said = cleanText(result.stderr.trim(), SAID_MAX) || `exit ${result.code ?? 'by a signal'}`;
    return { prints: false, why: `netconsole cannot be loaded: ${said}` };
  };

  return {
    async bootWords(session, { release, config }, signal) {
      if (config === null || !`\n${config}\n`.includes('\nCONFIG_NETCONSOLE=y\n')) return [];
      try {
        const way = await readNetconsoleWay(session, release, signal);
        return way.isDriverBuiltIn ? [argument ?? netconsoleArgument(settings, way, 'mac')] : [];
      } catch (error) {
        // `start` says why, once that kernel runs.
        if (whyNot(error) === null) throw error;
        return [];
      }
    },
    async start(session, signal) {
      try {
        return await start(session, signal);
      } catch (error) {
        const why = whyNot(error);
        if (why === null) throw error;
        return { prints: false, why };
      }
    },
    async stop(session, signal) {
      const unload = script('netconsole-unload', {}, 'modprobe -r -- netconsole');
      await output(session, unload, signal === undefined ? {} : { signal });
    },
  };
}
