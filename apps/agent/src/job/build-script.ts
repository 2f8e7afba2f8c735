import { spawn } from 'node:child_process';
import { BuildError } from '@peerlab/contracts';
import { LineSplitter, readInto } from '../machine/lines.js';
import type { Flow } from '../machine/protocols.js';
import { abortedWithin } from '../timing.js';

export interface BuildScriptHandlers {
  onProgress(percent: number, text: string): void;
  /** Any other line of stdout or stderr. */
  onLine(line: string, continues: boolean): void;
  /** Holds the script back. */
  flow?: Flow;
}

export interface BuildScriptEnd {
  code: number | null;
  error: BuildError | null;
  /** Lines of stdout that are no protocol lines, newest last; a few. */
  said: string[];
  /** Last line of stderr. */
  lastWords: string | null;
}

/** Time between asking a build to stop and killing its whole process group. */
const GRACE_MS = 5_000;
const KEPT_LINES = 20;

/** `@progress PERCENT TEXT` and `@error JSON`; null for another line. */
export function parseBuildLine(
  line: string,
): { type: 'progress'; percent: number; text: string } | { type: 'error'; error: BuildError } | null {
  const progress = /^@progress (\d{1,9}(?:\.\d{1,9})?) ?([^]*)$/.exec(line);
  if (progress !== null) {
    return { type: 'progress', percent: Math.min(100, Number(progress[1])), text: progress[2] ?? '' };
  }
  if (!line.startsWith('@error ')) return null;
  try {
    return { type: 'error', error: BuildError.parse(JSON.parse(line.slice(7))) };
  } catch {
    return { type: 'error', error: { class: 'infrastructure', detail: line.slice(7, 2000) } };
  }
}

/**
 * Runs a script of kernel/scripts niced and in a process group of its own, which is killed as a whole
 * when the signal is aborted. Rejects with the signal's reason then.
 */
export async function runBuildScript(
  path: string,
  args: readonly string[],
  handlers: BuildScriptHandlers,
  signal: AbortSignal,
): Promise<BuildScriptEnd> {
  signal.throwIfAborted();
  const child = spawn('nice', ['-n', '10', path, ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let error: BuildError | null = null;
  const said: string[] = [];
  let lastWords: string | null = null;
  const stdout = new LineSplitter((line, continues) => {
    const parsed = parseBuildLine(line);
    if (parsed?.type === 'progress') {
      handlers.onProgress(parsed.percent, parsed.text);
      return;
    }
    if (parsed?.type === 'error') error = parsed.error;
    else said.push(line);
    if (said.length > KEPT_LINES) said.shift();
    handlers.onLine(line, continues);
  });
  const stderr = new LineSplitter((line, continues) => {
    if (line.trim() !== '') lastWords = line;
    handlers.onLine(line, continues);
  });
  const endings = [readInto(child.stdout, stdout, handlers.flow), readInto(child.stderr, stderr, handlers.flow)];
  const ended = new AbortController();
  const killGroup = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The group is gone already.
    }
  };
  const onAbort = (): void => {
    killGroup('SIGTERM');
    void abortedWithin(ended.signal, GRACE_MS).then((inTime) => {
      if (!inTime) killGroup('SIGKILL');
    });
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    for (const endReading of endings) endReading();
    signal.throwIfAborted();
    return { code, error, said, lastWords };
  } finally {
    ended.abort();
    signal.removeEventListener('abort', onAbort);
  }
}
