import { expect, it } from 'vitest';
import { fileNameOf, filesOfBundle, logFiles } from './files.js';

const file = (sizeBytes: number) => ({ sha256: 'a'.repeat(64), sizeBytes });

it('lists the files of a kernel in the order people ask for them, then those of its suites by path', () => {
  const { kernel, suites } = filesOfBundle({
    files: {
      'suites/b': file(2),
      vmlinuz: file(9),
      config: file(3),
      'suites/a/data.bin': file(1),
      'modules.tar': file(5),
      'debug/vmlinux': file(70),
      'devel.tar.gz': file(12),
    },
  });
  expect(kernel.map(({ path, sizeBytes }) => [path, sizeBytes])).toEqual([
    ['config', 3],
    ['vmlinuz', 9],
    ['modules.tar', 5],
    ['devel.tar.gz', 12],
    ['debug/vmlinux', 70],
  ]);
  expect(suites.map(({ path }) => path)).toEqual(['suites/a/data.bin', 'suites/b']);
  expect(fileNameOf('suites/a/data.bin')).toBe('data.bin');
  expect(fileNameOf('vmlinuz')).toBe('vmlinuz');
});

it('lists logs with lines, and those that retention removed, but none that never had a line', () => {
  const removedAt = '2026-11-01T00:00:00.000Z';
  const found = logFiles([
    { stream: 'kernel', lines: 12, expected: 12, bytes: 700, removedAt: null },
    { stream: 'serial', lines: 0, expected: null, bytes: 0, removedAt: null },
    { stream: 'test', lines: 3, expected: 3, bytes: 0, removedAt },
  ]);
  expect(found).toEqual([
    { stream: 'kernel', what: 'kernel log (dmesg)', lines: 12, sizeBytes: 700, removedAt: null },
    { stream: 'test', what: 'output of the tests', lines: 3, sizeBytes: 0, removedAt },
  ]);
});
