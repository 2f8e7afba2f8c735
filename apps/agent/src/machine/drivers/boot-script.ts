import { script } from '../command.js';
import { MachineError } from '../errors.js';
import type { Session } from '../protocols.js';

/** Shell text for `runBootScript`: `fail 'PROBLEM|REMEDY'` ends it. */
export const FAIL = 'fail() { echo "$1" >&2; exit 1; }';

/** Runs a script that says `PROBLEM|REMEDY` on stderr when one-shot boot is not safe. @returns what it printed. Throws MachineError then. */
export async function runBootScript(session: Session, purpose: string, body: string, args = {}): Promise<string> {
  const result = await session.exec(script(purpose, args, body));
  if (result.code === 0) return result.stdout;
  const [problem = '', remedy] = (result.stderr.trim().split('\n').at(-1) ?? '').split('|');
  throw new MachineError('boot-select', `one-shot boot is not safe: ${problem}`, remedy ?? null);
}

/** Throws for a command line with a character that the boot loader would interpret. */
export function checkCommandLine(loader: string, commandLine: string): void {
  const odd = /[^\x20-\x7e]|['"\\]/.exec(commandLine);
  if (odd === null) return;
  throw new MachineError(
    'boot-select',
    `the kernel command line contains ${JSON.stringify(odd[0])}, which ${loader} would interpret`,
    'remove the option from the default kernel command line',
  );
}
