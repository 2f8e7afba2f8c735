import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { log } from '@peerlab/runtime';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from './agent-config.js';
import { lockState, lockStateWhenRoom } from './state-lock.js';

describe('the lock of a state folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'peerlab-lock-'));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    spawnSync('umount', [folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('is refused while its process lives, and taken over when that is gone', () => {
    lockState(folder);
    expect(() => lockState(folder)).toThrow(ConfigError);
    // A process that was killed, and one that was killed before it could write its name.
    for (const left of ['4194305 1', '']) {
      writeFileSync(join(folder, 'agent.pid'), left);
      lockState(folder);
      expect(readFileSync(join(folder, 'agent.pid'), 'utf8')).toMatch(new RegExp(`^${process.pid} \\d+$`));
    }
  });

  it('waits for room on a full disk', async ({ skip }) => {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status !== 0) skip();
    const filler = join(folder, 'of-somebody-else');
    expect(() => writeFileSync(filler, Buffer.alloc(128 * 1024))).toThrow(/ENOSPC/);
    let waits = 0;
    vi.spyOn(log, 'warn').mockImplementation((...args: unknown[]) => {
      expect(args).toEqual([
        { stateDir: folder, err: expect.objectContaining({ code: 'ENOSPC' }) },
        'waiting-for-disk-space',
      ]);
      waits += 1;
      if (waits === 2) rmSync(filler);
    });
    await lockStateWhenRoom(folder, 5);
    expect(waits).toBe(2);
    expect(readFileSync(join(folder, 'agent.pid'), 'utf8')).toMatch(new RegExp(`^${process.pid} `));
  });
});
