import { CrashWatch } from '@peerlab/contracts';
import type { Booted } from '../job/machine-connection.js';
import { RecoveryLadder } from '../job/recovery-ladder.js';
import { script } from '../machine/command.js';
import { adviceOf, MachineError } from '../machine/errors.js';
import type { ConsoleFollower } from '../machine/protocols.js';
import { DeadlinePassed, formatSeconds, pause } from '../timing.js';
import type { ActingOn } from './acting-on.js';

/** Exit status of the order where the kernel takes no SysRq. */
const NO_SYSRQ = 3;

/** Detached: the kernel ends before the command does. */
const CRASH = `[ -w /proc/sysrq-trigger ] || exit ${NO_SYSRQ}
nohup sh -c "sleep 0.2; echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger" >/dev/null 2>&1 &`;

/**
 * Crashes the running kernel and waits for another one to answer by itself. Throws MachineError when none does, which says
 * whether the crash was never carried out (the same kernel still answers), or the kernel died and did not reboot (its
 * panic on the console). The machine is brought back then, where that can be done.
 * @param limitMs for the machine to come back, in milliseconds
 */
export async function crashAndAwait(acting: ActingOn, { session, kernel }: Booted, limitMs: number): Promise<Booted> {
  const { connection, machine, pace, signal } = acting;
  const watch = new CrashWatch();
  let lines = 0;
  const follower = await machine.console?.follow('end', { onLine: (line) => watch.push(line, lines++) });
  const startedAt = performance.now();
  const elapsedMs = (): number => performance.now() - startedAt;
  try {
    const ordered = await session.exec(script('crash', {}, CRASH), { timeoutMs: 20_000, signal }).catch(() => null);
    signal.throwIfAborted();
    if (ordered?.code === NO_SYSRQ) throw notCarriedOut('it has no /proc/sysrq-trigger that can be written');
    for (;;) {
      const answering = await connection.awaitBoot(null, () => limitMs - elapsedMs(), signal);
      if (answering.kernel.bootId !== kernel.bootId) return answering;
      if (elapsedMs() >= pace.orderMs) {
        throw notCarriedOut(
          `${formatSeconds(elapsedMs())} after the order the same kernel answers, boot_id ${kernel.bootId}`,
        );
      }
      await pause(pace.pollMs, signal);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof DeadlinePassed)) throw error;
    throw await whyAway(acting, watch, follower, limitMs, error);
  } finally {
    await follower?.stop();
  }
}

const notCarriedOut = (proof: string): MachineError =>
  new MachineError(
    'boot-select',
    `told to crash, its kernel did not: ${proof}; whether the default comes back after a crash is not known`,
    'boot a default kernel with CONFIG_MAGIC_SYSRQ that is not locked down',
  );

/** It was booted with panic=5: the kernel reboots, unless the firmware does not take that. */
const REBOOTS =
  'see that `reboot -f` works on it: some firmware needs reboot=acpi, reboot=pci or reboot=efi for its kernels';

/** No kernel answers any more. What the console says of the reason, and what brings the machine back. */
async function whyAway(
  acting: ActingOn,
  watch: CrashWatch,
  follower: ConsoleFollower | undefined,
  limitMs: number,
  cause: DeadlinePassed,
): Promise<MachineError> {
  const away = `no kernel answered within ${formatSeconds(limitMs)}`;
  const { crash } = watch;
  const [why, remedy] =
    crash !== null
      ? [`the kernel died (on its console: ${crash.title}) and did not reboot`, REBOOTS]
      : follower === undefined
        ? ['there is no console that could say whether it died', `configure console:, and ${REBOOTS}`]
        : ['nothing on its console says that it died: it may hang', `look at its console, and ${REBOOTS}`];
  const message = `told to crash, ${acting.machine.name} did not come back by itself: ${away}; ${why}`;
  const { isBack, how } = await bringBack(acting, limitMs);
  return new MachineError('boot-select', `${message}; ${how}`, isBack ? remedy : `reset it by hand; ${remedy}`, cause);
}

/**
 * Brings a machine back that does not answer, as a job does. Resolves to what that took, or why nothing helped, in words.
 * @param limitMs for the machine to come back after each order, in milliseconds
 * @throws the reason of the signal
 */
export async function bringBack(acting: ActingOn, limitMs: number): Promise<{ isBack: boolean; how: string }> {
  const { machine, note, signal } = acting;
  if (machine.power === null) return { isBack: false, how: 'there is no power driver that could reset it' };
  note(`${machine.name} did not come back by itself; resetting it`);
  const ladder = RecoveryLadder.up({ ...acting, guard: null, recoverMs: limitMs });
  try {
    const climbed = await ladder.climb('', signal);
    const isBack = climbed !== null && typeof climbed === 'object';
    return { isBack, how: `${isBack ? 'it came back' : 'nothing brought it back'}: ${ladder.tried}` };
  } catch (error) {
    signal.throwIfAborted();
    return { isBack: false, how: `it was not reset: ${adviceOf(error)}` };
  }
}
