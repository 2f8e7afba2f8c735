import fc from 'fast-check';
import { z } from 'zod';

/** Values that have broken programs before. */
const HOSTILE = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    '',
    -1,
    0.5,
    1e308,
    Number.MAX_SAFE_INTEGER,
    2 ** 31,
    2 ** 63,
    true,
    [],
    {},
    '__proto__',
    '\u0000',
    '\ud800',
    '../../../etc/passwd',
    "'; drop table attempt; --",
    '\n{"level":"error"}',
    'a'.repeat(10_000),
    Array.from({ length: 3000 }, () => 0),
  ),
  fc.jsonValue({ maxDepth: 5 }),
);

/**
 * Values that a schema accepts, made from the schema itself. What it cannot say (refinements) is left to
 * chance, so that a few of them are refused.
 */
export function arbitraryOf(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const { def } = (schema as z.ZodType)._zod as { def: z.core.$ZodTypeDef };
  switch (def.type) {
    case 'object': {
      const { shape } = def as z.core.$ZodObjectDef;
      return fc.record(Object.fromEntries(Object.entries(shape).map(([key, part]) => [key, arbitraryOf(part)])));
    }
    case 'array':
      return fc.array(arbitraryOf((def as z.core.$ZodArrayDef).element), { maxLength: 4 });
    case 'record': {
      const { keyType, valueType } = def as z.core.$ZodRecordDef;
      const key = arbitraryOf(keyType).filter((value): value is string => typeof value === 'string');
      return fc.dictionary(key, arbitraryOf(valueType), { maxKeys: 4 });
    }
    case 'union':
      return fc.oneof(...(def as z.core.$ZodUnionDef).options.map((option) => arbitraryOf(option)));
    case 'literal':
      return fc.constantFrom(...(def as z.core.$ZodLiteralDef<z.core.util.Literal>).values);
    case 'enum':
      return fc.constantFrom(...Object.values((def as z.core.$ZodEnumDef).entries));
    case 'nullable':
      return fc.option(arbitraryOf((def as z.core.$ZodNullableDef).innerType), { nil: null });
    case 'optional':
      return fc.option(arbitraryOf((def as z.core.$ZodOptionalDef).innerType), { nil: undefined });
    case 'default':
      return arbitraryOf((def as z.core.$ZodDefaultDef).innerType);
    case 'pipe':
      return arbitraryOf((def as z.core.$ZodPipeDef).out);
    case 'string':
      return stringOf(schema as z.ZodString);
    case 'number':
      return numberOf(schema as z.ZodNumber);
    case 'boolean':
      return fc.boolean();
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function stringOf(schema: z.ZodString): fc.Arbitrary<string> {
  const { format, minLength, maxLength } = schema;
  if (format === 'uuid') return fc.uuid();
  const pattern = patternOf(schema._zod.def);
  // Flags such as `u` are of no interest to what is generated.
  if (pattern !== null) return fc.stringMatching(new RegExp(pattern.source));
  return fc.string({ minLength: minLength ?? 0, maxLength: Math.min(maxLength ?? 20, 200), unit: 'grapheme' });
}

/** The first pattern that a schema asks for, itself or among its checks. */
function patternOf(def: { pattern?: RegExp; checks?: z.core.$ZodCheck[] }): RegExp | null {
  if (def.pattern !== undefined) return def.pattern;
  for (const check of def.checks ?? []) {
    const { pattern } = check._zod.def as { pattern?: RegExp };
    if (pattern !== undefined) return pattern;
  }
  return null;
}

function numberOf({ format, minValue, maxValue }: z.ZodNumber): fc.Arbitrary<number> {
  const [least, most] = [minValue ?? -1000, maxValue ?? 1e9];
  if (format === 'safeint') return fc.integer({ min: Math.max(least, -(2 ** 31)), max: Math.min(most, 2 ** 31 - 1) });
  return fc.double({ min: least, max: most, noNaN: true });
}

/** A value with one of its parts replaced by something hostile, left out, or added. */
export function damaged(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc
    .tuple(value, fc.nat(1000), fc.constantFrom('replace', 'remove', 'add'), HOSTILE)
    .map(([sound, where, how, hostile]) => {
      const copy = structuredClone(sound);
      const places = placesIn(copy);
      const place = places[where % Math.max(1, places.length)];
      if (place === undefined) return hostile;
      const [holder, key] = place;
      if (how === 'remove') delete holder[key];
      else if (how === 'add') holder['surprise'] = hostile;
      else holder[key] = hostile;
      return copy;
    });
}

/** Every place in a value that holds something: the object or array, and the key. */
function placesIn(value: unknown): [Record<string, unknown>, string][] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key): [Record<string, unknown>, string][] => [
    [holder, key],
    ...placesIn(holder[key]),
  ]);
}
