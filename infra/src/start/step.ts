import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

/** What a set-up script said was wrong, with its remedy. */
export class StepError extends Error {}

/**
 * Runs a set-up script that speaks the `@progress` / `@error` protocol. Its log goes to `logFile`.
 * @returns the text after the final `@<result>` line
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
  const told = failure as { detail: string; remedy?: string | null } | null;
  const why = told === null ? `exit code ${code}` : `${told.detail}${told.remedy == null ? '' : `\n  ${told.remedy}`}`;
  throw new StepError(`${command.join(' ')}: ${why}\n  its log: ${options.logFile}`);
}
