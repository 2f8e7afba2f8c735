import { output, script } from '../machine/command.js';
import { MachineError, adviceOf } from '../machine/errors.js';
import { powerWays } from '../machine/power-ways.js';
import type { Power } from '../machine/protocols.js';
import { formatSeconds } from '../timing.js';
import type { Booted } from './machine-connection.js';
import { inTime, type PowerOrder, type TimedOrder } from './power-order.js';
import type { RestoreContext } from './restore-context.js';

/** Another attempt has the machine: nothing may be done to it, whatever else would help. */
export const isFenced = (error: unknown): boolean => error instanceof MachineError && error.kind === 'fenced';

/** What no rung mends: so is an error of the agent's own settings, such as a key that cannot be read. */
const isLasting = (error: unknown): boolean =>
  isFenced(error) || (error instanceof MachineError && error.kind === 'settings');

interface Rung {
  what: string;
  /** null = what is tried next does it itself. */
  act: ((signal: AbortSignal) => Promise<void>) | null;
  /** The hardest of its way to power: what may bring a lost device back. */
  isHardest: boolean;
}

export type LadderContext = Pick<RestoreContext, 'machine' | 'connection' | 'pace' | 'recoverMs' | 'note'> & TimedOrder;

/** How a climb ended: who answered; `itself` where what is tried next resets the machine; `silent` after the last rung; null: none was left. */
export type Climbed = Booted | 'itself' | 'silent' | null;

/**
 * What is done, one after the other, to a machine that does not do what it is told: each rung is harder than the one before, and the last
 * of a way to power is a time without it. Each has a limit; how it ended is noted with its time, and kept.
 */
export class RecoveryLadder {
  readonly #context: LadderContext;
  readonly #prefix: string;
  readonly #tried: string[] = [];
  #rungs: Rung[];

  private constructor(context: LadderContext, prefix: string, rungs: Rung[]) {
    this.#context = context;
    this.#prefix = prefix;
    this.#rungs = rungs;
  }

  /** For a machine that is to be put back: it may still answer, with a kernel that does not reboot when it is told to. */
  static back(context: LadderContext): RecoveryLadder {
    const { power, disk } = context.machine;
    if (disk !== null) {
      // A fresh disk begins with a reset of its own.
      const itself = { what: 'a reset', act: null, isHardest: (power?.cycle ?? null) === null };
      return new RecoveryLadder(context, 'restore', [itself, ...byPower(context, power)]);
    }
    const sysrq = {
      what: 'a reboot by sysrq',
      act: (stop: AbortSignal) => rebootBySysrq(context, stop),
      isHardest: false,
    };
    return new RecoveryLadder(context, 'restore', [sysrq, ...byPower(context)]);
  }

  /** For a machine that does not answer. */
  static up(context: LadderContext): RecoveryLadder {
    return new RecoveryLadder(context, 'power', byPower(context));
  }

  /**
   * In milliseconds, what it takes at most: each rung its order, a kernel that answers, and one more where that kernel is to be left
   * in the usual way first.
   */
  get longestMs(): number {
    const { pace, recoverMs } = this.#context;
    return this.#rungs.length * (pace.powerMs + 2 * recoverMs);
  }

  /** What was done, each with how it ended and after which time; empty = nothing yet. */
  get tried(): string {
    return this.#tried.join('; ');
  }

  /** A kernel that boots again brings no device back, and a reset seldom does. */
  keepHardest(): void {
    this.#rungs = this.#rungs.filter(({ isHardest }) => isHardest);
  }

  /**
   * Carries out the next rungs until a kernel answers that has been booted since.
   * @param why for the log; empty = that is there already
   * @throws the reason of the signal, or MachineError('fenced' or 'settings')
   */
  async climb(why: string, signal: AbortSignal): Promise<Climbed> {
    const { connection } = this.#context;
    for (let rung = this.#rungs.shift(); rung !== undefined; rung = this.#rungs.shift()) {
      signal.throwIfAborted();
      if (why !== '') this.#context.note(`${this.#prefix}: ${why}; once more after ${rung.what}`);
      else if (this.#tried.length > 0) this.#context.note(`${this.#prefix}: next is ${rung.what}`);
      connection.leave();
      // A BMC may accept an order and do nothing: the kernel that runs now is no answer to the rung.
      const before = connection.lastBootId;
      const at = performance.now();
      const ended = (how: string): void => this.#ended(rung, how, at);
      try {
        if (rung.act !== null) await rung.act(signal);
      } catch (failed) {
        if (signal.aborted) ended('which was cut off');
        signal.throwIfAborted();
        if (isLasting(failed)) throw failed;
        ended(`which failed (${adviceOf(failed)})`);
        continue;
      }
      // A fresh disk awaits its own boot.
      if (rung.act === null) return 'itself';
      connection.forgetReboot();
      try {
        const booted = await connection.awaitBoot(before, () => this.#context.recoverMs, signal);
        ended(`${booted.kernel.release} answers`);
        return booted;
      } catch (late) {
        if (signal.aborted) ended('cut off while it was awaited');
        signal.throwIfAborted();
        if (isLasting(late)) throw late;
        ended(`no answer (${adviceOf(late)})`);
        // What comes next would only wait for it again.
        if (this.#rungs.length === 0) return 'silent';
      }
    }
    return null;
  }

  #ended({ what }: Rung, how: string, at: number): void {
    const text = `${what}, ${how} after ${formatSeconds(performance.now() - at)}`;
    this.#tried.push(text);
    this.#context.note(`${this.#prefix}: ${text}`);
  }
}

/** Of several ways to its power, all that one can before the next one. @param wasReset a way that needs no other reset */
function byPower(context: LadderContext, wasReset: Power | null = null): Rung[] {
  return powerWays(context.machine).flatMap(({ by, power }): Rung[] => {
    const { cycle } = power;
    const order = (what: string, act: PowerOrder, isHardest: boolean): Rung => ({
      what: `${what}${by}`,
      act: (signal) => inTime(context, act, signal),
      isHardest,
    });
    return [
      ...(power === wasReset ? [] : [order('a reset', (stop) => power.reset(stop), cycle === null)]),
      ...(cycle === null ? [] : [order('a time without power', cycle, true)]),
    ];
  });
}

/** Of the time for a machine to answer: it was waited for just before. */
const SYSRQ_REACH = 0.25;

/** Synced and read-only first: GRUB reads ext4 without its journal. The shell answers before the kernel is gone. */
const SYSRQ = `[ -w /proc/sysrq-trigger ] || { echo "/proc/sysrq-trigger cannot be written" >&2; exit 1; }
nohup sh -c 'sleep 0.2; echo 1 >/proc/sys/kernel/sysrq; for key in s u; do echo $key >/proc/sysrq-trigger; sleep 2; done
echo b >/proc/sysrq-trigger' >/dev/null 2>&1 </dev/null &`;

/** A kernel that answers and cannot be left in the usual way: no program of it takes part in this. */
async function rebootBySysrq({ connection, pace, recoverMs }: LadderContext, signal: AbortSignal): Promise<void> {
  // The kernel that was told to reboot, and did not, is the one that is looked for.
  connection.forgetReboot();
  const { kernel, session } = await connection.reach(pace.reachMs * SYSRQ_REACH, signal);
  await output(session, script('sysrq-reboot', {}, SYSRQ), { signal });
  connection.leave();
  connection.forgetReboot();
  await connection.awaitBoot(kernel.bootId, () => recoverMs, signal);
}
