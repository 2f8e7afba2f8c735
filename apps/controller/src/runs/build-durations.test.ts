import { buildEstimateText } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { inputsOf, sizeOf } from '../builds/build-inputs.js';
import { estimateBuild } from './build-durations.js';

const MIN = 60_000;
const samples = [
  { size: 'debug wide', cached: false, ms: 22 * MIN },
  { size: 'debug wide', cached: false, ms: 24 * MIN },
  { size: 'debug narrow', cached: false, ms: 2 * MIN },
  { size: 'debug wide', cached: true, ms: 3000 },
  { size: 'debug narrow', cached: true, ms: 2800 },
];
const text = (size: string, isStored: boolean, of = samples) =>
  buildEstimateText(estimateBuild({ size, isStored }, of));

it('never mixes kernels that were built with those that were stored', () => {
  expect(text('debug wide', true)).toBe('built already');
  expect(estimateBuild({ size: 'debug wide', isStored: true }, samples).ms).toBe(2900);
  expect(text('debug wide', false)).toBe('must be built, about 23 min, from 2 builds of this size');
  expect(text('debug narrow', false)).toBe('must be built, about 2 min, from 1 build of this size');
});

it('says when it goes by builds of other sizes, or by none', () => {
  expect(text('peerlab base', false)).toBe('must be built, about 22 min, from 3 builds of other sizes');
  expect(text('peerlab base', false, [])).toBe('must be built; no build has ended yet to tell how long that takes');
  expect(estimateBuild({ size: 'x', isStored: true }, [])).toMatchObject({ basis: 'stored', samples: 0 });
});

it('a series that touches a header that everything includes is of another size', () => {
  const patch = (file: string) => ({ mbox: `--- a/${file}\n+++ b/${file}\n@@ -1 +1 @@\n-a\n+b\n` });
  const size = (...files: string[]) => sizeOf({ name: 'b', series: files.map(patch), config: 'debug' });
  expect(size('mm/hmm.c')).toBe('debug narrow');
  expect(size('mm/hmm.c', 'include/linux/mm.h')).toBe('debug wide');
  expect(size('arch/x86/include/asm/page.h')).toBe('debug wide');
  expect(sizeOf({ name: 'b', series: [] })).toBe('default base');
  expect(sizeOf({ name: 'b', series: ['bundled', patch('mm/hmm.c')] })).toBe('default bundled');
});

it('the same kernel under another name has the same inputs', () => {
  const inputs = inputsOf({ name: 'a', series: ['bundled'] }, 'ann');
  expect(inputsOf({ name: 'b', series: ['bundled'], suites: ['kunit'] }, 'bob')).toBe(inputs);
  expect(inputsOf({ name: 'a', series: ['bundled'], config: 'debug' }, 'ann')).not.toBe(inputs);
  // What a user submitted is in no one else's cache.
  const own = { name: 'a', series: [{ mbox: 'x' }] };
  expect(inputsOf(own, 'ann')).not.toBe(inputsOf(own, 'bob'));
});
