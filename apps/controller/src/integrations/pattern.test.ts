import { growthOf } from '@peerlab/contracts/testing';
import { expect, it } from 'vitest';
import { fitsPattern } from './pattern.js';

it.each([
  ['main', 'main', true],
  ['main', 'main2', false],
  ['main', 'xmain', false],
  ['topic/*', 'topic/a', true],
  ['topic/*', 'topic/', true],
  ['topic/*', 'topic/a/b', false],
  ['topic/**', 'topic/a/b', true],
  ['**/Kconfig', 'mm/Kconfig', true],
  ['**/Kconfig', 'a/b/Kconfig', true],
  ['mm/**/*.c', 'mm/a/b.c', true],
  ['v?.*', 'v7.3-rc1', true],
  ['v?.*', 'v17.3', false],
  ['a.c', 'abc', false],
  ['a[b]', 'a[b]', true],
  ['a[b]', 'ab', false],
  ['***', 'a/b', true],
  ['*', '', true],
  ['?', '', false],
  ['wip/é*', 'wip/été', true],
])('%s and %s: %s', (pattern, name, fits) => {
  expect(fitsPattern(pattern, name)).toBe(fits);
});

it('takes time in proportion to the name, however many stars there are', async () => {
  const pattern = `${'*a'.repeat(90)}b`;
  const growth = await growthOf(
    (size) => 'a'.repeat(size),
    (name) => fitsPattern(pattern, name),
  );
  expect(growth.perDoubling).toBeLessThan(3);
});
