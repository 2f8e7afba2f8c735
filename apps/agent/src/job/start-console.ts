import { DeadlinePassed, formatSeconds, until } from '../timing.js';
import type { AttemptContext } from './attempt-context.js';

/**
 * Lets the proven candidate print to a console that it does not print to by itself. One that cannot is said once in the
 * attempt and costs the attempt nothing: its crashes have no text. The candidate prints every level, so that a console that stays
 * silent does not get what it prints.
 */
export async function startConsole(context: AttemptContext): Promise<void> {
  const starter = context.machine.console?.starter;
  if (starter === undefined) return;
  const { connection, pace, serial, signal } = context;
  const say = (text: string): void => {
    if (!context.toldConsole) context.note(`verify: ${text}`);
    context.toldConsole = true;
  };
  const fromSeq = serial.next;
  const start = await starter.start(connection.require(), signal);
  if (!start.prints) return say(`this candidate prints nothing to the console: ${start.why}`);
  if (!start.began) return say(start.how);
  try {
    await until('a line on the console', () => (serial.next > fromSeq ? true : undefined), {
      everyMs: 50,
      timeoutMs: pace.lateCrashMs,
      signal,
    });
    context.note(`verify: ${start.how}`);
  } catch (error) {
    if (!(error instanceof DeadlinePassed)) throw error;
    say(
      `${start.how}, and nothing of it arrived within ${formatSeconds(pace.lateCrashMs)}; look whether a firewall or another route keeps it from the agent`,
    );
  }
}
