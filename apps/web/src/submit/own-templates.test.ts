import { expect, it } from 'vitest';
import { createOwnTemplates } from './own-templates.js';

function memory(text: string | null = null, isFull = false) {
  let held = text;
  return {
    getItem: () => held,
    setItem: (_key: string, next: string) => {
      if (isFull) throw new Error('QuotaExceededError');
      held = next;
    },
  };
}

it('keeps templates by name, in order, over a reload', () => {
  const storage = memory();
  const own = createOwnTemplates(storage);
  let told = 0;
  own.subscribe(() => (told += 1));
  expect(own.save('  zeta ', 'z: 1')).toBeNull();
  expect(own.save('alpha', 'a: 1')).toBeNull();
  expect(own.save('zeta', 'z: 2')).toBeNull();
  const expected = [
    { name: 'alpha', yaml: 'a: 1' },
    { name: 'zeta', yaml: 'z: 2' },
  ];
  expect(own.list()).toEqual(expected);
  expect(createOwnTemplates(storage).list()).toEqual(expected);
  own.remove('alpha');
  expect(createOwnTemplates(storage).list()).toEqual(expected.slice(1));
  expect(told).toBe(4);
});

it('says why something is not kept', () => {
  const own = createOwnTemplates(memory(null, true));
  expect(own.save('x', 'y')).toMatch(/storage is full/);
  expect(own.save(' ', 'y')).toMatch(/needs a name/);
  expect(own.save('x', 'y'.repeat(500_001))).toMatch(/too long/);
  expect(own.list()).toEqual([]);
});

it('takes nothing from a storage that somebody else wrote', () => {
  for (const text of ['{', '3', '[{"name": 1}]', 'null']) expect(createOwnTemplates(memory(text)).list()).toEqual([]);
});
