import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

/** A failed set-up step. The message gives the reason and the remedy. */
export class StepError extends Error {}

/**
 * Runs a set-up script that prints `@progress` and `@error` lines. Its stderr goes to `logFile`.
 * @returns the text after the final `@<result>`
 * @throws StepError when the script fails
 */
export async function runStep(
  command: string[],
  options: { cwd: string; logFile: string; result: string; onProgress: (percent: number, text: string) => void },
): Promise<string> {
  await mkdir(dirname(options.logFile), { recursive: true });
  const [program = '', ...args] = command;
  const child = spawn(program, args, { cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(options.logFile);
  child.stderr.pipe(log);
  let result: string | null = null;
  let failure: { detail: string; remedy?: string | null } | null = null;
  let last = '';
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    last = line;
    const progress = /^@progress (\d+(?:\.\d+)?) (.*)$/.exec(line);
    if (progress !== null) options.onProgress(Number(progress[1]), progress[2] ?? '');
    else if (line.startsWith('@error '))
      failure = JSON.parse(line.slice(7)) as { detail: string; remedy?: string | null };
    else if (line.startsWith(`@${options.result} `)) result = line.slice(options.result.length + 2);
  });
  const read = new Promise<void>((resolve) => lines.once('close', resolve));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  await read;
  if (code === 0 && result !== null) return result;
  if (code === 0 && options.result === '') return last;
  const reported = failure as { detail: string; remedy?: string | null } | null;
  const reason =
    reported === null
      ? `exit code ${code}`
      : `${reported.detail}${reported.remedy == null ? '' : `\n  ${reported.remedy}`}`;
  throw new StepError(`${command.join(' ')} failed: ${reason}\n  log: ${options.logFile}`);
}
