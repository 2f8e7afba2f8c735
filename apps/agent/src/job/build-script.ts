import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { BuildError } from '@peerlab/contracts';
import { endChild } from '@peerlab/runtime';
import type { SandboxLimits } from '../sandbox/sandbox.js';
import { killSandbox, watchLimits } from '../sandbox/watch.js';
import { LineSplitter, readInto } from '../machine/lines.js';
import type { Backpressure } from '../machine/protocols.js';

export interface BuildScriptHandlers {
  onProgress(percent: number, text: string): void;
  /** Any other line of stdout or stderr. */
  onLine(line: string, continues: boolean): void;
  /** Holds the script back. */
  backpressure?: Backpressure;
}

/** A script and what it may use. */
interface BuildScriptRun {
  command: readonly string[];
  /** Limits on all its processes together, and the folders that it writes into; none for a script of ours alone. */
  limits?: { values: SandboxLimits; folders: readonly string[] };
}

export interface BuildScriptEnd {
  code: number | null;
  /** Why it was ended before its time: a limit, in words; null when it ended by itself. */
  exceeded: string | null;
  /** The highest percentage that it had reported. */
  percent: number;
  error: BuildError | null;
  /** What `--key` printed after `@inputs`; null when it printed none. */
  inputs: string | null;
  /** Lines of stdout that are no protocol lines, newest last; a few. */
  outputLines: string[];
  /** Last line of stderr. */
  lastStderrLine: string | null;
}

const KEPT_LINES = 20;
const INPUTS = '@inputs ';

/** Longest text of a progress line and of an error that is passed on, in characters. */
const PROGRESS_MAX = 300;
const ERROR_MAX = 1500;

/** The strings of an error cut to what a page can show; the log has the whole. */
function cutStrings(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, typeof each === 'string' ? each.slice(0, ERROR_MAX) : each]),
  );
}

/** `@progress PERCENT TEXT` and `@error JSON`; null for another line. */
export function parseBuildLine(
  line: string,
): { type: 'progress'; percent: number; text: string } | { type: 'error'; error: BuildError } | null {
  const progress = /^@progress (\d{1,9}(?:\.\d{1,9})?) ?([^]*)$/.exec(line);
  if (progress !== null) {
    return {
      type: 'progress',
      percent: Math.min(100, Number(progress[1])),
      text: (progress[2] ?? '').slice(0, PROGRESS_MAX),
    };
  }
  if (!line.startsWith('@error ')) return null;
  try {
    return { type: 'error', error: BuildError.parse(cutStrings(JSON.parse(line.slice(7)))) };
  } catch {
    return { type: 'error', error: { class: 'infrastructure', detail: line.slice(7, ERROR_MAX) } };
  }
}

/** Programs are found by this agent's own path; its environment holds nothing else for a script. */
const scriptEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
});

/**
 * Lets everything else of this computer run first: a machine whose emulator gets no processor looks hung. Where the scheduler
 * groups by session, as Debian's does, the nice values of a build count only among its own processes.
 * @param pid the leader of its session
 */
function yieldToMachines(pid: number | undefined): void {
  if (pid === undefined) return;
  // A kernel without such groups has no such file; and it may have ended.
  writeFile(`/proc/${pid}/autogroup`, '10').catch(() => undefined);
}

/**
 * Runs a script of kernel/scripts in a process group of its own, which is killed as a whole when the
 * signal is aborted or a limit is exceeded. Rejects with the signal's reason then.
 */
export async function runBuildScript(
  { command, limits }: BuildScriptRun,
  handlers: BuildScriptHandlers,
  signal: AbortSignal,
): Promise<BuildScriptEnd> {
  signal.throwIfAborted();
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: scriptEnvironment() });
  yieldToMachines(child.pid);
  let error: BuildError | null = null;
  const outputLines: string[] = [];
  let lastStderrLine: string | null = null;
  let percent = 0;
  let exceeded: string | null = null;
  let inputs: string | null = null;
  const stdout = new LineSplitter((line, continues) => {
    if (line.startsWith(INPUTS) && !continues) {
      inputs = line.slice(INPUTS.length);
      return;
    }
    const parsed = parseBuildLine(line);
    if (parsed?.type === 'progress') {
      percent = Math.max(percent, parsed.percent);
      handlers.onProgress(parsed.percent, parsed.text);
      return;
    }
    if (parsed?.type === 'error') error = parsed.error;
    else if (!continues) outputLines.push(line);
    if (outputLines.length > KEPT_LINES) outputLines.shift();
    handlers.onLine(line, continues);
  });
  const stderr = new LineSplitter((line, continues) => {
    if (line.trim() !== '') lastStderrLine = line;
    handlers.onLine(line, continues);
  });
  const endings = [
    readInto(child.stdout, stdout, handlers.backpressure),
    readInto(child.stderr, stderr, handlers.backpressure),
  ];
  const { pid } = child;
  const onAbort = (): void => endChild(child, limits === undefined ? undefined : killSandbox);
  signal.addEventListener('abort', onAbort, { once: true });
  const watch =
    limits === undefined || pid === undefined
      ? null
      : watchLimits(pid, limits.values, limits.folders, (reason) => {
          exceeded = reason;
          killSandbox(pid);
        });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    for (const endReading of endings) endReading();
    signal.throwIfAborted();
    return { code, error, inputs, outputLines, lastStderrLine, percent, exceeded };
  } finally {
    watch?.stop();
    signal.removeEventListener('abort', onAbort);
  }
}
