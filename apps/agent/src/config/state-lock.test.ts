import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createJournal } from '../journal.js';
import { ConfigError } from './agent-config.js';
import { lockState, lockStateWhenRoom } from './state-lock.js';

describe('the lock of a state folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'peerlab-lock-'));
  });
  afterEach(() => {
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
    const journal = createJournal((line) => {
      expect(line).toMatch(/waiting-for-room.*ENOSPC/);
      waits += 1;
      if (waits === 2) rmSync(filler);
    });
    await lockStateWhenRoom(folder, journal, 5);
    expect(waits).toBe(2);
    expect(readFileSync(join(folder, 'agent.pid'), 'utf8')).toMatch(new RegExp(`^${process.pid} `));
  });
});
