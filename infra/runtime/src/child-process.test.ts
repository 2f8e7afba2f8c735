import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, vi } from 'vitest';
import { endChild, endProcess, runProgram, sendSignal } from './child-process.js';
import { isAlive, startTimeOf } from './process-identity.js';

/** A shell in a process group of its own that has printed its first line: ids of processes that it started. */
async function startShell(script: string) {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const identity = (pid: number) => ({ pid, startTime: startTimeOf(pid) ?? '' });
  const started = line.toString().trim().split(' ').map(Number).map(identity);
  return { child, shell: identity(child.pid ?? 0), started };
}

const allGone = (processes: { pid: number; startTime: string }[]) =>
  vi.waitUntil(() => !processes.some(isAlive), { timeout: 75_000, interval: 10 });

it('tells a process from a later one with the same id, and from one that was not reaped', async () => {
  const own = startTimeOf(process.pid);
  expect(own).toMatch(/^\d+$/);
  expect(isAlive({ pid: process.pid, startTime: own ?? '' })).toBe(true);
  expect(isAlive({ pid: process.pid, startTime: '1' })).toBe(false);
  expect(startTimeOf(4_194_305)).toBeNull();
  // `exec` keeps the shell's child, which nothing reaps, as a zombie.
  const { child, started } = await startShell('sleep 0.01 & echo $!; exec sleep 60');
  await vi.waitUntil(() => startTimeOf(started[0]?.pid ?? 0) === null, { timeout: 75_000, interval: 10 });
  child.kill('SIGKILL');
  await once(child, 'close');
});

it('ends a process that is not its child by SIGTERM', async () => {
  const { child, shell } = await startShell('trap "exit 7" TERM; echo 0; while :; do sleep 0.01; done');
  const closed = once(child, 'close');
  await endProcess(shell);
  expect(await closed).toEqual([7, null]);
});

it('kills a process that ignores SIGTERM, with its group', async () => {
  const { child, shell, started } = await startShell('trap "" TERM; sleep 60 & echo $!; wait');
  const closed = once(child, 'close');
  await endProcess(shell, 100);
  expect(await closed).toEqual([null, 'SIGKILL']);
  await allGone(started);
});

it('leaves a later process alone that has the id of one that ended', async () => {
  const { child, shell } = await startShell('echo 0; exec sleep 60');
  await endProcess({ ...shell, startTime: '1' });
  expect(isAlive(shell)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'close');
});

it('ends the group of a child, by force when it has to', async () => {
  const { child, started } = await startShell('trap "" TERM; sleep 60 & echo $!; wait');
  const closed = once(child, 'close');
  endChild(child, undefined, 100);
  expect(await closed).toEqual([null, 'SIGKILL']);
  await allGone(started);
});

it('reports that there is nothing to signal', () => {
  expect(sendSignal(4_194_305, 'SIGTERM')).toBe(false);
  expect(sendSignal(-4_194_305, 'SIGKILL')).toBe(false);
});

it('runs a program and gives its exit code and the last of its output', async () => {
  const timeoutMs = 30_000;
  expect(await runProgram('sh', ['-c', 'echo out; echo err >&2; exit 3'], { timeoutMs })).toEqual({
    code: 3,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  const { stdout } = await runProgram('seq', ['1', '100000'], { timeoutMs, outputMaxBytes: 14 });
  expect(stdout).toBe('\n99999\n100000\n');
  await expect(runProgram('peerlab-no-such-program', [], { timeoutMs })).rejects.toThrow(/ENOENT/);
});

it('ends a program that takes too long, and one whose signal is aborted, with all that they started', async () => {
  // Without its group the sleep would hold the output open.
  await expect(runProgram('sh', ['-c', 'sleep 60 & wait'], { timeoutMs: 50 })).rejects.toThrow(
    'sh did not end within 0.05 s',
  );
  const stop = new AbortController();
  const run = runProgram('sh', ['-c', 'sleep 60 & wait'], { timeoutMs: 60_000, signal: stop.signal });
  stop.abort(new Error('canceled'));
  await expect(run).rejects.toThrow('canceled');
});
