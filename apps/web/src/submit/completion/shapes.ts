import { z } from 'zod';
import type { FieldPath } from '../form-model.js';

type Schema = z.core.$ZodType;

/** The alternatives of a schema, without wrappers such as optional. */
export function alternatives(schema: Schema): Schema[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return alternatives(schema.unwrap());
  }
  return schema instanceof z.ZodUnion ? schema.options.flatMap(alternatives) : [schema];
}

/** The schemas at a path; empty when the schema has no such path. */
export function shapesAt(schema: Schema, path: FieldPath): Schema[] {
  return path.reduce<Schema[]>(
    (shapes, step) => shapes.flatMap((shape) => inner(shape, step)).flatMap(alternatives),
    alternatives(schema),
  );
}

function inner(shape: Schema, step: string | number): Schema[] {
  if (typeof step === 'number') return shape instanceof z.ZodArray ? [shape.element] : [];
  if (shape instanceof z.ZodRecord) return [shape.valueType];
  if (!(shape instanceof z.ZodObject)) return [];
  const field: Schema | undefined = Object.hasOwn(shape.shape, step) ? shape.shape[step] : undefined;
  return field === undefined ? [] : [field];
}

/** Further keys that a map of one of these shapes may have, each with the schema of its value. */
export function keysOf(shapes: readonly Schema[], given: ReadonlySet<string>): [string, Schema][] {
  const maps = shapes.filter((shape) => shape instanceof z.ZodObject);
  const fitting = maps.filter((map) => [...given].every((key) => Object.hasOwn(map.shape, key)));
  return (fitting.length > 0 ? fitting : maps)
    .flatMap((map) => Object.entries<Schema>(map.shape))
    .filter(([key]) => !given.has(key));
}

/** Values that can be listed: those of enums, literals and booleans. */
export function valuesOf(shapes: readonly Schema[]): string[] {
  return shapes.flatMap((shape) => {
    if (shape instanceof z.ZodEnum) return shape.options.map(String);
    if (shape instanceof z.ZodLiteral) return [...shape.values].map(String);
    return shape instanceof z.ZodBoolean ? ['true', 'false'] : [];
  });
}

/** How a value is written. */
export function formOf(schema: Schema): 'map' | 'list' | 'list of maps' | 'scalar' {
  const shapes = alternatives(schema);
  if (shapes.some((shape) => shape instanceof z.ZodObject || shape instanceof z.ZodRecord)) return 'map';
  const list = shapes.find((shape) => shape instanceof z.ZodArray);
  if (list === undefined) return 'scalar';
  const isMap = (shape: Schema): boolean => shape instanceof z.ZodObject;
  return alternatives(list.element).every(isMap) ? 'list of maps' : 'list';
}

/** Kind of a value in one or two words: `list`, `10 to 3600`, `text`. */
export function briefOf(schema: Schema): string {
  const form = formOf(schema);
  if (form !== 'scalar') return form === 'map' ? 'map' : 'list';
  const shapes = alternatives(schema);
  const number = shapes.find((shape) => shape instanceof z.ZodNumber);
  if (number !== undefined) return `${number.minValue ?? ''} to ${number.maxValue ?? ''}`;
  return valuesOf(shapes).length > 0 ? valuesOf(shapes).join(', ') : 'text';
}

/** Description of a schema; undefined when it has none. */
export function aboutOf(schema: Schema): string | undefined {
  const said = z.globalRegistry.get(schema)?.description;
  if (said !== undefined) return said;
  const isWrapped =
    schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault;
  return isWrapped ? aboutOf(schema.unwrap()) : undefined;
}
