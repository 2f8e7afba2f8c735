import type { Inventory, MachineCheck } from '@peerlab/contracts';
import { readInventory } from '../inventory/read.js';
import { readBootPolicy } from '../job/boot-policy.js';
import { adviceOf } from '../machine/errors.js';
import { loadersInstead } from '../machine/detect-loader.js';
import { powerWays } from '../machine/power-ways.js';
import type { Machine, Session } from '../machine/protocols.js';
import { readFacts } from './facts.js';
import { judge, type LookedAt } from './judge.js';

/** Why one-shot boot is not safe, with what the machine has instead. */
async function loaderProblemOf({ boot }: Machine, session: Session, signal: AbortSignal): Promise<string | null> {
  try {
    await boot.preflight(session);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return `${adviceOf(error)}${await loadersInstead(session, error)}`;
  }
}

async function askFacts(session: Session, signal: AbortSignal): Promise<Pick<LookedAt, 'facts' | 'asked'>> {
  const fromSeconds = Date.now() / 1000;
  const facts = await readFacts(session, signal);
  return { facts, asked: { fromSeconds, toSeconds: Date.now() / 1000 } };
}

async function powerOf(machine: Machine, signal: AbortSignal): Promise<LookedAt['power']> {
  const found: LookedAt['power'][number][] = [];
  for (const { label, power } of powerWays(machine)) {
    const said = await power.state(signal).then(
      (state) => ({ state }),
      (error: unknown) => {
        signal.throwIfAborted();
        return { problem: adviceOf(error) };
      },
    );
    found.push({ name: label === null ? null : power.name, said });
  }
  return found;
}

async function watchdogOf({ watchdog }: Machine, session: Session, signal: AbortSignal): Promise<LookedAt['watchdog']> {
  if (watchdog === null) return null;
  try {
    return { name: watchdog.name, said: { user: await watchdog.foreignUser(session, signal) } };
  } catch (error) {
    signal.throwIfAborted();
    return { name: watchdog.name, said: { problem: adviceOf(error) } };
  }
}

function consoleOf({ console }: Machine, looks: boolean): LookedAt['console'] {
  if (console === null) return null;
  return looks ? { problem: console.problem?.() ?? null } : 'not-looked-at';
}

/**
 * What a running agent finds on a machine whose inventory it has: it writes nothing, so the boot loader is not asked.
 * Rejects with a MachineError when the machine does not answer.
 */
export async function checkInventoried(
  machine: Machine,
  inventory: Inventory,
  session: Session,
  signal: AbortSignal,
): Promise<MachineCheck[]> {
  return judge({
    ...(await askFacts(session, signal)),
    inventory,
    bootPolicy: await readBootPolicy(session, signal),
    loaderProblem: 'not-asked',
    machine,
    console: consoleOf(machine, true),
    consoleCaveat: machine.console?.caveat ?? null,
    power: await powerOf(machine, signal),
    watchdog: await watchdogOf(machine, session, signal),
  });
}

/**
 * Looks at a machine on its default kernel without changing anything of it, but that the boot loader's check writes
 * a variable and removes it. `looksAtConsole` false = its recorder does not run here. Rejects with a MachineError when it does not answer.
 */
export async function lookAtMachine(
  machine: Machine,
  session: Session,
  signal: AbortSignal,
  looksAtConsole = true,
): Promise<{ checks: MachineCheck[]; inventory: Inventory }> {
  const inventory = await readInventory(session, null, signal);
  const checks = judge({
    ...(await askFacts(session, signal)),
    inventory,
    bootPolicy: await readBootPolicy(session, signal),
    loaderProblem: await loaderProblemOf(machine, session, signal),
    machine,
    console: consoleOf(machine, looksAtConsole),
    consoleCaveat: machine.console?.caveat ?? null,
    power: await powerOf(machine, signal),
    watchdog: await watchdogOf(machine, session, signal),
  });
  return { checks, inventory };
}
