import { chownSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OWN_CONFIG } from '@peerlab/contracts';
import { composeMachine } from '../compose.js';
import { refuseOtherAccount } from '../config/agent-account.js';
import { ConfigError, loadConfig } from '../config/agent-config.js';
import { MachineConnection } from '../job/machine-connection.js';
import { configureForMachine, type SettingOff } from '../job/machine-config.js';
import { PACE, type Pace } from '../job/pace.js';
import { output, script } from '../machine/command.js';
import { MachineError } from '../machine/errors.js';
import type { Machine } from '../machine/protocols.js';
import type { Person } from './enrol.js';
import { knownMachine } from './known-machine.js';
import { type EnrolmentOptions, OptionError } from './options.js';

/** An emulated machine that hardly gets to run is asked about each of its devices. */
const NEEDS_MS = 5 * 60_000;
/** A configuration and the names of all modules have 400 KB; machine-config.sh takes no more. */
const NEEDS_MAX_BYTES = 2 * 1024 ** 2;
/** The first line of what machine-config.sh makes; other configurations are not replaced. */
const OF_A_MACHINE = '# about: of a machine: ';

export interface Configured {
  /** What run files call it. */
  config: string;
  /** The file that has it now. */
  file: string;
  /** What a kernel of it has otherwise than the machine's own, as lines of the kernel's scripts/diffconfig. */
  differences: string[];
  /** What peer-to-peer needs of some hardware and a kernel of it does not have. */
  off: SettingOff[];
}

/**
 * Makes a kernel configuration for a machine of the config out of that of its own kernel, where the builds of this agent find
 * it. Changes nothing on the machine. Throws OptionError, ConfigError, MachineError and JobFailure.
 */
export async function configure(
  { config: configFile, machine: name, configure: { as, allModules } }: EnrolmentOptions,
  person: Pick<Person, 'tell'>,
  signal: AbortSignal,
  pace: Pace = PACE,
): Promise<Configured> {
  const config = loadConfig(configFile);
  refuseOtherAccount(config.stateDir);
  const { kernelDir, cacheDir, buildLimits: limits, repositories, fetchLimits } = config;
  if (kernelDir === undefined) {
    const remedy = "name the repository's kernel/ folder: builds look for configurations there";
    throw new ConfigError(configFile, [{ path: 'kernelDir', message: 'is missing', remedy }]);
  }
  const file = join(kernelDir, 'config', `${as}.config`);
  if (existsSync(file) && !readFileSync(file, 'utf8').startsWith(OF_A_MACHINE))
    throw new OptionError(`${file} is another configuration of the farm; give --as NAME`);
  const settings = knownMachine(config, name);
  // Its console belongs to a running agent, and is not needed.
  const machine = composeMachine({ ...settings, console: undefined }, config, () => undefined);
  const needs = await needsOf(machine, readFileSync(join(kernelDir, 'scripts/machine-needs.sh'), 'utf8'), signal, pace);
  person.tell(`${name} has told its configuration and modules; making ${as} of them`);
  const { text, differences, off } = await configureForMachine(
    { kernelDir, cacheDir, limits, repositories, fetchLimits },
    { needs, machine: name, name: as, allModules },
    (percent, what) => person.tell(`${percent} % ${what}`),
    signal,
  );
  place(file, text);
  for (const { setting, why } of off)
    person.tell(`${setting} is off: ${why}; where tests need it, give their build a fragment that turns it on`);
  person.tell(`${file} is written; restart the agent, and runs name it: "config: ${as}", or "config: ${OWN_CONFIG}"`);
  return { config: as, file, differences, off };
}

async function needsOf(machine: Machine, commands: string, signal: AbortSignal, pace: Pace): Promise<string> {
  const connection = new MachineConnection(machine, pace);
  try {
    const { session, kernel } = await connection.reach(pace.reachMs, signal);
    if (kernel.nonce !== null) {
      throw new MachineError(
        'settings',
        `${machine.name} runs a kernel under test: its configuration is not the machine's own`,
        'wait for the job on it, or reboot it',
      );
    }
    const limits = { timeoutMs: NEEDS_MS, maxBytes: NEEDS_MAX_BYTES, signal };
    return await output(session, script('machine-needs', {}, commands), limits);
  } finally {
    connection.leave();
  }
}

/** A build sees the old file or the new one. It belongs to whom the folder belongs to. */
function place(file: string, text: string): void {
  const { uid, gid } = statSync(dirname(file));
  const next = `${file}.new`;
  writeFileSync(next, text, { mode: 0o644, flush: true });
  if (process.getuid?.() === 0) chownSync(next, uid, gid);
  renameSync(next, file);
}
