import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chooseAccelerator, missedMilestone } from './accelerator.js';

describe('missedMilestone', () => {
  test('is patient before the limit and names what is missing after it', () => {
    expect(missedMilestone('', 4000)).toBeNull();
    expect(missedMilestone('', 5000)).toBe('peerlab-grub:');
    expect(missedMilestone('peerlab-grub: booting', 19_999)).toBeNull();
    expect(missedMilestone('peerlab-grub: booting', 20_000)).toBe('login:');
    expect(missedMilestone('peerlab-grub: booting\nv login:', 60_000)).toBeNull();
  });
});

describe('chooseAccelerator', () => {
  test('obeys the setting without trying anything', async () => {
    const choice = await chooseAccelerator('/nowhere', '/nowhere/cache', { PEERLAB_ACCELERATOR: 'tcg' });
    expect(choice).toEqual({ accelerator: 'tcg', reason: 'set by PEERLAB_ACCELERATOR' });
  });

  test('refuses a setting it does not know', async () => {
    await expect(chooseAccelerator('/nowhere', '/nowhere/cache', { PEERLAB_ACCELERATOR: 'xen' })).rejects.toThrow(
      /"xen"/,
    );
  });

  test('does not believe a result from another boot of the host', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'peerlab-accelerator-'));
    try {
      const cache = join(folder, 'accelerator.json');
      await writeFile(cache, JSON.stringify({ accelerator: 'kvm', reason: 'stale', host: 'another boot' }));
      // The image does not exist, so that KVM, where there is one, fails at once.
      const choice = await chooseAccelerator(join(folder, 'no-image'), cache, {});
      expect(choice.accelerator).toBe('tcg');
      const kept = JSON.parse(await readFile(cache, 'utf8')) as { host: string };
      expect(kept.host).toContain((await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim());
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
