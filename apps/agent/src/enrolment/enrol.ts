import type { MachineCheck } from '@peerlab/contracts';
import { type BackgroundWork, composeMachine } from '../compose.js';
import { type AgentConfig, loadConfig, MachineConfig } from '../config/agent-config.js';
import { refuseOtherAccount, requireStateDir } from '../config/agent-account.js';
import { lockState } from '../config/state-lock.js';
import { MachineConnection } from '../job/machine-connection.js';
import { MachineRecords } from '../job/machine-record.js';
import { PACE, type Pace } from '../job/pace.js';
import { adviceOf, MachineError } from '../machine/errors.js';
import { detectLoaders } from '../machine/detect-loader.js';
import { powerWays } from '../machine/power-ways.js';
import { readHostKey } from '../machine/drivers/host-key.js';
import type { Machine } from '../machine/protocols.js';
import { pause } from '../timing.js';
import type { ActingOn } from './acting-on.js';
import { proveConsole, proveFallback, provePower } from './acts.js';
import { keepCheckRun, whoRuns } from './check-runs.js';
import { readFacts } from './facts.js';
import { check } from './check.js';
import { initramfsDriver } from './fact-checks.js';
import { knownMachine } from './known-machine.js';
import { lookAtMachine } from './look.js';
import { addressOf, newMachine } from './new-machine.js';
import { type EnrolmentOptions, OptionError } from './options.js';
import { hasFailed } from './report.js';
import { proveWatchdog } from './watchdog-proof.js';
import { appendMachine, refuseReadOnly } from './write-config.js';

/** What a config without `boot` means. */
const DEFAULT_LOADER = 'grub';
/** How long the console's recorder may take to connect. */
const CONSOLE_OPEN_MS = 20_000;

/** What a person is asked and told. */
export interface Person {
  /** Prints a question and gives what was typed; null = there is no terminal. */
  ask(question: string): Promise<string | null>;
  tell(text: string): void;
  onCheck(check: MachineCheck): void;
}

/** Where it ended. `wrote` = the file that has the machine now; null = nothing was written. */
export interface Enrolled {
  checks: MachineCheck[];
  wrote: string | null;
}

/** Checks a machine of the config, or a new one and adds it. Throws OptionError, ConfigError, MachineError. */
export async function enrol(
  options: EnrolmentOptions,
  person: Person,
  signal: AbortSignal,
  pace: Pace = PACE,
): Promise<Enrolled> {
  const config = loadConfig(options.config, false);
  refuseOtherAccount(config.stateDir);
  if (options.verb === 'check') {
    const found = await checkKnown(config, options, person, signal, pace);
    keep(config, options.machine, found, person);
    return { checks: found.checks, wrote: null };
  }
  // Not after minutes of proofs.
  refuseReadOnly(options.config);
  requireStateDir(config.stateDir);
  const confirmed = await confirmedEntry(config, options, person, signal, pace);
  const entry = await withFoundDrivers(config, confirmed, signal, pace);
  const found = await run(config, MachineConfig.parse(entry), true, options, person, signal, pace);
  const { checks } = found;
  if (hasFailed(checks)) {
    person.tell(`nothing was written: mend what failed, then run this again`);
    return { checks, wrote: null };
  }
  const wrote = appendMachine(options.config, entry);
  keep(config, options.machine, found, person);
  person.tell(`${options.machine} stands in ${wrote}; restart the agent, and the machine shows up in the farm`);
  return { checks, wrote };
}

/** What a run found. */
interface Found {
  checks: MachineCheck[];
  /** What changes the machine was tried. */
  acted: boolean;
  /** The longest boot of those that were tried, in milliseconds, where all went well. */
  bootMs?: number | null;
}

/**
 * For the machine's page, where the agent brings it, and for its first jobs. What was found is printed as well, so that trouble here
 * ends nothing.
 */
function keep({ stateDir }: AgentConfig, machine: string, { checks, acted, bootMs }: Found, person: Person): void {
  try {
    keepCheckRun(stateDir, machine, { at: new Date().toISOString(), by: whoRuns(), acted, list: checks });
  } catch (error) {
    person.tell(`the page of the machine will not show this: ${adviceOf(error)}`);
  }
  if (bootMs == null) return;
  try {
    new MachineRecords(stateDir).update(machine, { enrolledBootMs: Math.round(bootMs) });
  } catch (error) {
    person.tell(`how long it takes to boot is not kept: ${adviceOf(error)}`);
  }
}

async function confirmedEntry(
  config: AgentConfig,
  { machine, add }: EnrolmentOptions,
  person: Person,
  signal: AbortSignal,
  pace: Pace,
): Promise<Record<string, unknown>> {
  const { host, port } = addressOf(add);
  // As long as a job would wait for it: a machine that hardly gets to run greets late.
  const hostKey = await readHostKey(host, port, pace.reachMs, signal);
  const entry = newMachine(machine, add, hostKey, config);
  if (add.fingerprint !== undefined && add.fingerprint !== hostKey.fingerprint) {
    throw new MachineError(
      'host-key-changed',
      `${host}:${port} shows the host key ${hostKey.fingerprint}, not ${add.fingerprint}`,
      'another machine answers there, or the fingerprint is that of another key type: this one is of an ' +
        hostKey.publicKey.split(' ', 1)[0],
    );
  }
  if (add.fingerprint === undefined) {
    person.tell(`${host}:${port} shows the host key ${hostKey.fingerprint} (${hostKey.publicKey.split(' ', 1)[0]})`);
    const answer = await person.ask(
      'Compare it with `ssh-keygen -lf /etc/ssh/ssh_host_…_key.pub` on the machine. The same? [yes/no] ',
    );
    if (answer === null)
      throw new OptionError(
        `the host key is not confirmed: compare it, then give --fingerprint ${hostKey.fingerprint}`,
      );
    if (answer.trim() !== 'yes') throw new OptionError('the host key was not confirmed; nothing was done');
  }
  return entry;
}

/**
 * The entry with the drivers that the machine itself shows: its boot loader where that is not the default, and its tool
 * that makes initramfs. A root on a plain partition wants one as well: kernels of distributions have the driver of the
 * disk as a module.
 */
async function withFoundDrivers(
  config: AgentConfig,
  entry: Record<string, unknown>,
  signal: AbortSignal,
  pace: Pace,
): Promise<Record<string, unknown>> {
  const machine = composeMachine(MachineConfig.parse({ ...entry, console: undefined }), config, () => undefined);
  const connection = new MachineConnection(machine, pace);
  try {
    const { session } = await connection.reach(pace.reachMs, signal);
    const [loader] = await detectLoaders(session);
    const facts = await readFacts(session, signal);
    const driver = initramfsDriver(facts);
    return {
      ...entry,
      ...(loader?.usable !== true || loader.driver === DEFAULT_LOADER ? {} : { boot: { driver: loader.driver } }),
      ...(driver === null ? {} : { initramfs: { driver } }),
    };
  } finally {
    connection.leave();
  }
}

async function checkKnown(
  config: AgentConfig,
  options: EnrolmentOptions,
  person: Person,
  signal: AbortSignal,
  pace: Pace,
): Promise<Found> {
  const known = knownMachine(config, options.machine);
  // A running agent records the consoles, and may have a job on the machine.
  if (options.act) lockState(config.stateDir);
  return run(config, known, options.act, options, person, signal, pace);
}

/** @param records false = the agent itself has the console */
async function run(
  config: AgentConfig,
  settings: MachineConfig,
  records: boolean,
  options: EnrolmentOptions,
  person: Person,
  outer: AbortSignal,
  pace: Pace,
): Promise<Found> {
  const life = new AbortController();
  const signal = AbortSignal.any([outer, life.signal]);
  const background: BackgroundWork[] = [];
  const machine = composeMachine(settings, config, (work) => background.push(work));
  const recording = records
    ? background.map((work) =>
        work(signal).catch((error: unknown) => {
          if (!signal.aborted) person.tell(`the console cannot be recorded: ${adviceOf(error)}`);
        }),
      )
    : [];
  const connection = new MachineConnection(machine, pace);
  const checks: MachineCheck[] = [];
  const add = (...found: MachineCheck[]): void => {
    for (const one of found) person.onCheck(one);
    checks.push(...found);
  };
  try {
    const { session, kernel } = await connection.reach(pace.reachMs, signal);
    add(check('ssh', 'pass', `${machine.access.address} runs ${kernel.release}`));
    if (kernel.nonce !== null) {
      add(
        check(
          'default-kernel',
          'fail',
          'it runs a kernel under test: an agent has a job on it',
          'wait for that, or reboot it',
        ),
      );
      return { checks, acted: false };
    }
    if (records) await consoleOpened(machine, signal);
    add(...(await lookAtMachine(machine, session, signal, records || background.length === 0)).checks);
    if (!options.act) return { checks, acted: false };
    if (hasFailed(checks)) {
      person.tell('what changes the machine is not tried before this is mended');
      return { checks, acted: false };
    }
    await confirmActing(machine, options, person);
    let bootMs = 0;
    const acting: ActingOn = {
      machine,
      connection,
      pace,
      signal,
      note: (text) => person.tell(text),
      onBoot: (tookMs) => (bootMs = Math.max(bootMs, tookMs)),
    };
    const ways = powerWays(machine);
    const proofs: (() => Promise<MachineCheck | null>)[] = [
      () => proveConsole(acting),
      // Before the power: what it sets on the machine goes with the next boot.
      () => proveWatchdog(acting),
      ...(ways.length === 0 ? [null] : ways).map((way) => () => provePower(acting, way)),
      () => proveFallback(acting),
    ];
    for (const prove of proofs) {
      const found = await prove();
      if (found === null) continue;
      add(found);
      if (found.verdict === 'fail') break;
    }
    return { checks, acted: true, bootMs: hasFailed(checks) ? null : bootMs };
  } finally {
    connection.leave();
    life.abort();
    await Promise.all(recording);
  }
}

/** Everything is confirmed before anything is done: the machine, and each further way that cuts power, maybe that of another one. */
async function confirmActing(machine: Machine, { confirm }: EnrolmentOptions, person: Person): Promise<void> {
  const { name } = machine;
  const questions = [
    {
      word: name,
      text: `Now ${name} is switched off and on, and crashed once. Everything that runs on it ends. Type its name to go on: `,
    },
    ...powerWays(machine)
      .slice(1)
      .flatMap(({ label, power }) => {
        const word = `${name}/${(label ?? '').replace(' ', '-')}`;
        const text = `${label ?? ''} (${power.name}) takes the power away too: of ${name}, and of whatever else hangs on it. Type ${word} to go on: `;
        return power.cycle === null ? [] : [{ word, text }];
      }),
  ];
  const missing = questions.filter(({ word }) => !confirm.includes(word));
  for (const { word, text } of missing) {
    const answer = await person.ask(text);
    if (answer === null)
      throw new OptionError(`not confirmed: give --confirm ${questions.map((one) => one.word).join(',')}`);
    if (answer.trim() !== word) throw new OptionError(`"${answer.trim()}" is not ${word}; nothing was done to ${name}`);
  }
}

/** Waits until the console is recorded, or for a while: the check says why it is not. */
async function consoleOpened({ console }: Machine, signal: AbortSignal): Promise<void> {
  const end = performance.now() + CONSOLE_OPEN_MS;
  while ((console?.problem?.() ?? null) !== null && performance.now() < end) await pause(50, signal);
}
