import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, log, startTimeOf } from '@peerlab/runtime';
import { ConfigError } from './agent-config.js';

/** In the state folder: the process that uses it. */
export const LOCK_FILE = 'agent.pid';
/** Interval of the attempts to lock while the disk is full, in milliseconds. */
const ROOM_POLL_MS = 5000;

/**
 * Makes this process the only agent on a state folder: two would send one spool twice and fight for
 * the machines. The lock of a process that has ended is replaced. Throws ConfigError that names the other process.
 */
export function lockState(stateDir: string): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const path = join(stateDir, LOCK_FILE);
  for (;;) {
    try {
      const fd = openSync(path, 'wx', 0o600);
      try {
        writeSync(fd, `${process.pid} ${startTimeOf(process.pid) ?? ''}`);
      } finally {
        closeSync(fd);
      }
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const [pid = '', started = ''] = readFileSync(path, 'utf8').split(' ');
    if (isAlive({ pid: Number(pid), startTime: started })) {
      throw new ConfigError(path, [
        {
          path: 'stateDir',
          message: `another agent (pid ${pid}) uses it`,
          remedy: 'stop that one, or give this agent a stateDir of its own',
        },
      ]);
    }
    rmSync(path, { force: true });
  }
}

/**
 * As lockState, but waits while the disk is full: an agent that exited would stay down after room was made.
 * Rejects with what lockState throws otherwise.
 */
export async function lockStateWhenRoom(stateDir: string, pollMs = ROOM_POLL_MS): Promise<void> {
  for (;;) {
    try {
      return lockState(stateDir);
    } catch (error) {
      if (!isFull(error)) throw error;
      log.warn({ stateDir, err: error }, 'waiting-for-disk-space');
    }
    await delay(pollMs);
  }
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
}
