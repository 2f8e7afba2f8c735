import { MachineError } from './errors.js';
import type { ExecOptions, Session, Shell } from './protocols.js';

/** Quotes one word for a POSIX shell. */
export function quote(word: string): string {
  return /^[a-zA-Z0-9_./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * A shell script that says in its first line what it is for. The line shows up in the machine's
 * process list, and the fake machine acts on it.
 */
export function script(purpose: string, args: Record<string, string | number>, body: string): string {
  return `# peerlab ${purpose} ${JSON.stringify(args)}\n${body}`;
}

/** What `script` wrote into the first line, or null for another command. */
export function purposeOf(command: string): { purpose: string; args: Record<string, string | number> } | null {
  const match = /^# peerlab ([a-z-]+) (\{.*\})\n/.exec(command);
  if (match === null) return null;
  return { purpose: match[1] ?? '', args: JSON.parse(match[2] ?? '{}') as Record<string, string | number> };
}

/** Runs a script and gives its standard output; a non-zero exit throws with what it wrote to stderr. */
export async function output(shell: Shell | Session, command: string, options?: ExecOptions): Promise<string> {
  const result = await shell.exec(command, options);
  if (result.code === 0) return result.stdout;
  const purpose = purposeOf(command)?.purpose ?? command.split('\n', 1)[0] ?? '';
  const why = result.stderr.trim() || result.stdout.trim() || 'no output';
  const how = result.code === null ? `was ended by ${result.signal ?? 'a signal'}` : `exited with ${result.code}`;
  throw new MachineError('command-failed', `"${purpose}" ${how}: ${why.slice(-600)}`);
}
