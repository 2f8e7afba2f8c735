import { script } from '../command.js';
import { MachineError } from '../errors.js';
import type { Session } from '../protocols.js';

/** Shell text for `runPreflight`: `fail 'PROBLEM|REMEDY'` ends it. */
export const FAIL = 'fail() { echo "$1" >&2; exit 1; }';

/** Runs a preflight that says `PROBLEM|REMEDY` on stderr when one-shot boot would not be safe. Throws MachineError then. */
export async function runPreflight(session: Session, purpose: string, body: string): Promise<void> {
  const result = await session.exec(script(purpose, {}, body));
  if (result.code === 0) return;
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
