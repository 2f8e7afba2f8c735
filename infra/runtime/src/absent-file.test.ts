import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { isAbsent, orIfAbsent } from './absent-file.js';

it('takes only a file that is not there for absent', async () => {
  expect(await orIfAbsent(readFile('/peerlab-no-such-file', 'utf8'), null)).toBeNull();
  expect(await orIfAbsent(readFile('/proc/self/stat', 'utf8'), null)).toContain(String(process.pid));
  // A folder cannot be read as a file, and what lies below a file is not there to be made.
  await expect(orIfAbsent(readFile('/proc'), null)).rejects.toMatchObject({ code: 'EISDIR' });
  await expect(orIfAbsent(readFile('/proc/self/comm/x'), null)).rejects.toMatchObject({ code: 'ENOTDIR' });
  for (const error of [null, undefined, 'ENOENT', new Error('ENOENT')]) expect(isAbsent(error)).toBe(false);
});
