import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Context } from '../command.js';
import { EXIT, type ExitCode, UsageError } from '../exit-codes.js';

/** The agent's program for enrolment, built beside this one. */
const PROGRAM = fileURLToPath(new URL('../../../agent/dist/enrolment/main.js', import.meta.url));

const STOPPING = ['SIGINT', 'SIGTERM'] as const;

/** What it may end with, as EXIT has it. */
const CODES: readonly number[] = Object.values(EXIT);

/**
 * Runs the agent's own program on this host, which is the site's: it reaches the machine as the agent does, and the
 * controller is not asked. It speaks with the person itself.
 */
export async function enrolHere(context: Context, argv: readonly string[]): Promise<null> {
  if (!existsSync(PROGRAM)) {
    throw new UsageError(
      'machine add, machine check and machine configure run on the host of an agent, and there is no agent beside this program; run npm ci && npm run build in the repository there',
    );
  }
  const child = spawn(process.execPath, [PROGRAM, ...argv, ...(context.json ? ['--json'] : [])], {
    // It asks the person on standard error, and reads the answers itself.
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => context.write(text));
  // It leaves the machine as it was before it ends. Ctrl-C at a terminal reaches it by itself.
  const stop = (signal: NodeJS.Signals): void => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of STOPPING) process.on(signal, stop);
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (ended) => resolve(ended ?? 1));
  }).finally(() => {
    for (const signal of STOPPING) process.off(signal, stop);
  });
  context.setExitCode((CODES.includes(code) ? code : EXIT.bug) as ExitCode);
  return null;
}

/** Options as they were given, for the other program. */
export function passedOn(options: Readonly<Record<string, string | boolean | undefined>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return value === true ? [flag] : [flag, value];
  });
}
