import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Name } from './ids.js';
import { problemItems } from './problem.js';

const Sample = z.strictObject({
  name: Name,
  count: z.number().int().min(1).max(200).optional(),
  kind: z.enum(['build', 'test']).optional(),
  run: z.uuid().optional(),
  at: z.iso.datetime().optional(),
  tags: z.array(z.string()).min(2).max(3).optional(),
  share: z.number().positive().optional(),
  side: z.union([z.literal(1), z.object({ a: z.string() })]).optional(),
  note: z.string().trim().min(1).max(5).optional(),
});

const problems = (value: Record<string, unknown>): string[] => {
  const parsed = Sample.safeParse({ name: 'n', ...value });
  return parsed.success ? [] : problemItems(parsed.error).map(({ path, message }) => `${path} ${message}`);
};

describe('what is wrong with a value', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ name: undefined }, 'name is missing; it has to be a text'],
    [{ name: 7 }, 'name has to be a text'],
    [{ name: '-x' }, 'name use letters, digits, dot, dash and underscore, starting with a letter or digit'],
    [{ count: 0 }, 'count has to be at least 1'],
    [{ count: 201 }, 'count may be at most 200'],
    [{ count: 1.5 }, 'count has to be a whole number'],
    [{ kind: 'tset' }, 'kind has to be one of build, test'],
    [{ run: 'latest' }, 'run has to be an id such as 3f9c2ab0-1d2e-4f3a-8b4c-0123456789ab'],
    [{ at: 'yesterday' }, 'at has to be a time such as 2026-01-31T12:00:00Z'],
    [{ tags: ['a'] }, 'tags has to have at least 2 entries'],
    [{ tags: ['a', 'b', 'c', 'd'] }, 'tags may have at most 3 entries'],
    [{ share: 0 }, 'share has to be more than 0'],
    [{ side: 'left' }, 'side has none of the forms that are allowed here'],
    [{ note: ' ' }, 'note must not be empty'],
    [{ note: '123456' }, 'note may have at most 5 characters'],
    [{ extra: 1 }, 'extra unknown field "extra"'],
  ])('%j is said in plain words', (value, expected) => {
    expect(problems(value)).toEqual([expected]);
  });
});
