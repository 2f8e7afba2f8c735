import { expect, it } from 'vitest';
import { Proof } from './proof.js';

it('reads what suites of older bundles print', () => {
  const before = { test: 't', expected: 'peer', aliasPages: 8, ramPages: 0, mapType: 'BUS_ADDR', bytesCompared: 4096 };
  expect(Proof.parse(before)).toEqual({
    test: 't',
    expected: 'peer',
    taken: 'BUS_ADDR',
    detail: {
      'alias pages': 8,
      'RAM pages': 0,
      'dma_alias calls': 0,
      'pages migrated back': 0,
      'bytes compared': 4096,
      'oracle reads': false,
    },
  });
  expect(Proof.parse({ ...before, aliasPages: 0, ramPages: 8, mapType: 'NONE' })).toMatchObject({ taken: 'ram' });
});

it('refuses a proof that names no way, and one with too many details', () => {
  const proof = { test: 't', expected: 'any', taken: 'ram' };
  expect(Proof.parse(proof)).toEqual({ ...proof, detail: {} });
  expect(Proof.safeParse({ test: 't', expected: 'any' }).success).toBe(false);
  const detail = Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`d${at}`, at]));
  expect(Proof.safeParse({ ...proof, detail }).success).toBe(false);
});
