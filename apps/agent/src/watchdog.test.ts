import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { collectLog } from './testing/log-entries.js';
import { FAULT_WINDOW_MS, FAULTS_MAX, surviveFaults } from './uncaught-faults.js';

/** The built file, as a child process cannot read the source; `npm test` builds it first. */
const WATCHDOG = fileURLToPath(new URL('../dist/watchdog.js', import.meta.url));

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

/** Runs a process that starts a watchdog and does something. Once it prints, it is stopped as a whole for a while. */
async function run(work: string, seconds = 1): Promise<Ended> {
  expect(existsSync(WATCHDOG), `${WATCHDOG} is missing; run npm run build:types`).toBe(true);
  const program = `const { startWatchdog } = await import(${JSON.stringify(WATCHDOG)}); startWatchdog(${seconds}); ${work}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.on('data', () => {
    child.kill('SIGSTOP');
    setTimeout(() => child.kill('SIGCONT'), 4_000);
  });
  // Should the watchdog fail, nothing else ends it.
  const timer = setTimeout(() => child.kill('SIGABRT'), 60_000);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  return { code, signal, stderr };
}

describe('the watchdog', () => {
  it('ends a process whose event loop is blocked, and says so', async () => {
    const { signal, stderr } = await run('for (;;);');
    expect(signal).toBe('SIGKILL');
    expect(JSON.parse(stderr)).toMatchObject({
      program: 'agent',
      level: 'fatal',
      event: 'event-loop-blocked',
      blockedMs: 1000,
    });
  });

  it('lets a process live that works, and end', async () => {
    expect(await run('setTimeout(() => undefined, 3000);', 2)).toEqual({ code: 0, signal: null, stderr: '' });
  });

  it('takes no process for blocked that was stopped as a whole', async () => {
    const work = `process.stdout.write('x'); setTimeout(() => process.exit(7), 2500);`;
    expect(await run(work, 3)).toEqual({ code: 7, signal: null, stderr: '' });
  });
});

describe('a fault that nobody caught', () => {
  it('is recorded and survived; many within a minute end the process', () => {
    const entries = collectLog();
    onTestFinished(() => void vi.restoreAllMocks());
    const codes: number[] = [];
    let now = 0;
    const before = process.listenerCount('uncaughtException');
    const end = surviveFaults(
      (code) => codes.push(code),
      () => now,
    );
    const [onException, onRejection] = (['uncaughtException', 'unhandledRejection'] as const).map((name) =>
      process.listeners(name as 'uncaughtException').at(-1),
    ) as ((thrown: unknown) => void)[];
    end();
    expect(process.listenerCount('uncaughtException')).toBe(before);
    onException?.(new Error('a bug in a listener'));
    expect(entries[0]).toMatchObject({ event: 'unexpected-fault', err: new Error('a bug in a listener') });
    for (let at = 0; at < 5 * FAULTS_MAX; at += 1, now += FAULT_WINDOW_MS / 10) onRejection?.('x');
    expect(codes).toEqual([]);
    for (let at = 0; at < FAULTS_MAX; at += 1) onException?.(null);
    expect(codes[0]).toBe(70);
    expect(entries.at(-1)).toMatchObject({ level: 'fatal', event: 'too-many-faults' });
  });
});
