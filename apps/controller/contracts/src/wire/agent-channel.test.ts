import { expect, it } from 'vitest';
import { z } from 'zod';
import { FromAgent, ToAgent } from './agent-channel.js';

/** Strings and lists of a JSON Schema that have no maximum, by their path. Patterns of this contract have one. */
function boundless(schema: unknown, path: string): string[] {
  if (Array.isArray(schema)) return schema.flatMap((part) => boundless(part, path));
  if (typeof schema !== 'object' || schema === null) return [];
  const { type, maxLength, maxItems, pattern, format, enum: values, const: value } = schema as Record<string, unknown>;
  const isOpen =
    (type === 'array' && maxItems === undefined) ||
    (type === 'string' && [maxLength, pattern, format, values, value].every((bound) => bound === undefined));
  const inside = Object.entries(schema).flatMap(([key, part]) =>
    // A bundle has a contract of its own.
    ['manifest', 'suites', 'error'].includes(key)
      ? []
      : boundless(part, key === 'properties' ? path : `${path}.${key}`),
  );
  return isOpen ? [path, ...inside] : inside;
}

it('every string and list that a peer of the agent channel may send has a maximum', () => {
  const open = (schema: z.ZodType): string[] => boundless(z.toJSONSchema(schema, { io: 'input' }), '');
  expect([FromAgent, ToAgent].flatMap(open)).toEqual([]);
  expect(open(z.object({ a: z.string(), b: z.array(z.string().max(1)), c: z.uuid().nullable() }))).toEqual([
    '.a',
    '.b',
  ]);
});
