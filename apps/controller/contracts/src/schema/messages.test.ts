import { expect, it } from 'vitest';
import { z } from 'zod';
import { problemItems, type Route, ROUTES } from '../index.js';

const messageOf = (schema: z.ZodType, value: unknown): string | undefined =>
  schema.safeParse(value).error?.issues[0]?.message;

it.each<[z.ZodType, unknown, string]>([
  [z.string(), undefined, 'it is missing; give a text'],
  [z.string(), [], 'a list is not valid here; give a text'],
  [z.coerce.number(), 'x', 'no number is not valid here; give a number'],
  [z.int(), 1.5, '1.5 is not valid here; give a whole number'],
  [z.number().max(200), 300, '300 is too large; give at most 200'],
  [z.number().min(1), 0, '0 is too small; give at least 1'],
  [z.number().positive(), 0, '0 is too small; give more than 0'],
  [z.string().max(3), 'long', '4 characters are too many; give at most 3 characters'],
  [z.string().min(1), '', 'it is empty; give at least 1 character'],
  [z.array(z.string()).max(1), ['a', 'b'], '2 entries are too many; give at most 1 entry'],
  [z.enum(['a', 'b']), 'c', '"c" is not valid here; give one of "a", "b"'],
  [z.literal('ok'), undefined, 'it is missing; give "ok"'],
  [z.uuid(), 'x', '"x" is not valid here; give an id, whole: 6b0e9f6e-3f0d-4a57-9a39-0d6f8a1c2b3d'],
  [z.string().regex(/^a$/), 'secret', 'the text has another form; give one of the form /^a$/'],
  [z.string().regex(/^a$/, 'give an a'), 'b', 'give an a'],
  [
    z.record(z.string().max(1), z.string()),
    { ab: '' },
    'a name in it is not valid: 2 characters are too many; give at most 1 character',
  ],
])('%# says what is wrong and what to do', (schema, value, message) => {
  expect(messageOf(schema, value)).toBe(message);
});

it('repeats no more of a value than fits into a line', () => {
  expect(messageOf(z.enum(['a']), 'x'.repeat(1e6))?.length).toBeLessThan(200);
  expect(messageOf(z.enum(Array.from({ length: 1e4 }, (_, index) => `value${index}`)), 'x')?.length).toBeLessThan(600);
});

it('no route answers in the words of the validator', () => {
  const odd: unknown[] = [undefined, null, 0, -1, 1e300, Number.NaN, '', 'x', 'x'.repeat(1000), [], {}, true];
  for (const [name, route] of Object.entries<Route>(ROUTES)) {
    for (const schema of [route.params, route.query, route.body]) {
      const fields = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
      for (const value of odd) {
        for (const input of [value, Object.fromEntries(fields.map((field) => [field, value]))]) {
          const parsed = schema?.safeParse(input);
          for (const { message } of parsed?.success === false ? problemItems(parsed.error) : [])
            expect(message, name).not.toMatch(/invalid|too big|received|unrecognized|undefined|\bNaN\b/i);
        }
      }
    }
  }
});
