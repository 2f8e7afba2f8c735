import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { usageOf, watchLimits } from './watch.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'usage-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('counts bytes and files, and never takes what it cannot count for nothing', async () => {
  writeFileSync(join(folder, 'a'), Buffer.alloc(100_000));
  const { bytes, files } = await usageOf([folder]);
  expect(bytes).toBeGreaterThanOrEqual(100_000);
  expect(files).toBe(2);
  await expect(usageOf([join(folder, 'no such folder')])).rejects.toThrow();
});

it('ends a build that it cannot watch, and says why', async () => {
  const limits = {
    memoryBytes: 2 ** 40,
    processes: 1e6,
    diskBytes: 2 ** 40,
    files: 1e6,
    cpuSeconds: 1,
    fileBytes: 2 ** 40,
  };
  // A path below a file has no file system to ask.
  writeFileSync(join(folder, 'file'), '');
  const reason = await new Promise((resolve) =>
    watchLimits(process.pid, limits, [join(folder, 'file', 'below')], resolve),
  );
  expect(reason).toMatch(/^what the build uses cannot be counted: .*ENOTDIR/);
});
