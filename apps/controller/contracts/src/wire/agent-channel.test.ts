import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Proof } from '../schema/proof.js';
import { AGENT_PROTOCOL, AGENT_PROTOCOLS, FromAgent, ToAgent } from './agent-channel.js';

const fixture = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../../fixtures/agent-v1/${name}`, import.meta.url), 'utf8')) as Record<
    string,
    unknown
  >;

/** Values of `type` anywhere in a JSON Schema. */
function typesIn(schema: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(schema)) for (const part of schema) typesIn(part, found);
  else if (schema !== null && typeof schema === 'object') {
    const { properties } = schema as { properties?: { type?: { const?: unknown } } };
    if (typeof properties?.type?.const === 'string') found.add(properties.type.const);
    for (const part of Object.values(schema)) typesIn(part, found);
  }
  return found;
}

const typesOf = (messages: unknown): Set<string> => {
  const found = new Set<string>();
  JSON.stringify(messages, (key, value: unknown) => {
    if (key === 'type' && typeof value === 'string') found.add(value);
    return value;
  });
  return found;
};

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

/** Features were one flag and proofs had a field for each count; both mean what they mean today. */
function inWordsOfToday(message: unknown): unknown {
  return JSON.parse(JSON.stringify(message), (key, value: unknown) => {
    if (key === 'features') return (value as { dmaAlias: boolean }).dmaAlias ? ['dma_alias'] : [];
    return key === 'proof' && value !== null ? Proof.parse(value) : value;
  });
}

describe('the agent channel, version 1', () => {
  it('is still one of the versions', () => {
    expect(AGENT_PROTOCOLS).toEqual([1, 2, AGENT_PROTOCOL]);
  });

  it.each(Object.entries(fixture('from-agent.json')))('the controller reads %s as it was meant', (_, frame) => {
    expect(FromAgent.parse(frame)).toMatchObject(inWordsOfToday(frame) as object);
  });

  it.each(Object.entries(fixture('to-agent.json')))('%s is still a message', (_, message) => {
    expect(ToAgent.parse(message)).toMatchObject(inWordsOfToday(message) as object);
  });

  it('has an example of every message and every event that it knew', () => {
    for (const side of ['from-agent', 'to-agent']) {
      const known = typesIn(fixture(`${side}.schema.json`));
      expect(known.size).toBeGreaterThanOrEqual(7);
      expect([...known].filter((type) => !typesOf(fixture(`${side}.json`)).has(type))).toEqual([]);
    }
  });
});
