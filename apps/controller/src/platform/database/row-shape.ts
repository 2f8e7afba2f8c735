import type { FieldDef } from 'pg';
import { getMetadataArgsStorage } from 'typeorm';

/**
 * A column of a statement's answer: which Postgres types it may have, and what it is in TypeScript. The compiler
 * takes the row's type from it, and in tests every answer is compared with it, so that neither a wrong name nor
 * a wrong type of a column stays unseen.
 */
export interface Column<T> {
  /** Names of Postgres types, as in TYPE_OIDS. */
  readonly types: readonly (keyof typeof TYPE_OIDS)[];
  readonly isNullable: boolean;
  /** Only for the compiler. */
  readonly value?: T;
}

export type Shape = Readonly<Record<string, Column<unknown>>>;
/** The row that a shape describes. */
export type RowOf<S extends Shape> = { -readonly [K in keyof S]: S[K] extends Column<infer T> ? T : never };

/** OIDs are fixed in pg_type.dat of Postgres. */
const TYPE_OIDS = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  json: 114,
  float4: 700,
  float8: 701,
  varchar: 1043,
  timestamptz: 1184,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
  'text[]': 1009,
  'int4[]': 1007,
  'int8[]': 1016,
  'float8[]': 1022,
  'uuid[]': 2951,
} as const;

const of = <T>(...types: (keyof typeof TYPE_OIDS)[]): Column<T> => ({ types, isNullable: false });

export const uuid = of<string>('uuid');
export const text = of<string>('text', 'varchar');
/** Text of a closed set of words. */
export const word = <T extends string>(): Column<T> => of<T>('text', 'varchar');
/** int2, int4 or int8: all that is stored stays below 2^53. */
export const integer = of<number>('int2', 'int4', 'int8');
export const float = of<number>('float4', 'float8');
export const bool = of<boolean>('bool');
/** As a Date, to the millisecond. */
export const time = of<Date>('timestamptz');
/** What was stored under a schema, so that it is not read again. */
export const json = <T>(): Column<T> => of<T>('json', 'jsonb');
export const texts = of<string[]>('text[]');
export const floats = of<number[]>('float8[]');
export const uuids = of<string[]>('uuid[]');
export const nullable = <T>(column: Column<T>): Column<T | null> => ({ types: column.types, isNullable: true });

type Snake<S extends string> = S extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${Snake<Tail>}`
  : S;
type ColumnsOf<E> = { readonly [K in keyof E & string as Snake<K>]: Column<E[K]> };

/** Types of entity columns, as migrations name them. */
const TYPES_OF_COLUMN: Readonly<Record<string, readonly (keyof typeof TYPE_OIDS)[]>> = {
  uuid: ['uuid'],
  text: ['text'],
  int: ['int4'],
  smallint: ['int2'],
  bigint: ['int8'],
  boolean: ['bool'],
  jsonb: ['jsonb'],
  bytea: ['bytea'],
  timestamptz: ['timestamptz'],
  'double precision': ['float8'],
  float8: ['float8'],
};

/** The columns of a table by their names in the database: the entity is the one place that describes them. */
export function columnsOf<E extends object>(entity: abstract new () => E): ColumnsOf<E> {
  const columns: Record<string, Column<unknown>> = {};
  for (const { target, propertyName, options } of getMetadataArgsStorage().columns) {
    if (target !== entity) continue;
    const type = String(options.type);
    const types = options.array === true ? [`${type}[]`.replace('int[]', 'int4[]')] : TYPES_OF_COLUMN[type];
    if (types === undefined) throw new Error(`${entity.name}.${propertyName}: the type ${type} is not known`);
    const name = propertyName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    columns[name] = { types: types as (keyof typeof TYPE_OIDS)[], isNullable: options.nullable === true };
  }
  return columns as ColumnsOf<E>;
}

/** Some of the columns of a shape. */
export function pick<S extends Shape, K extends keyof S & string>(shape: S, ...names: K[]): Pick<S, K> {
  return Object.fromEntries(names.map((name) => [name, shape[name]])) as Pick<S, K>;
}

const TYPE_NAMES = new Map<number, string>(Object.entries(TYPE_OIDS).map(([name, oid]) => [oid, name]));

/**
 * What is wrong with an answer: a column that is missing, one too many, one of another type, or a null that the
 * shape does not allow; null when it is as described.
 */
export function whyNotShape(
  shape: Shape,
  fields: readonly Pick<FieldDef, 'name' | 'dataTypeID'>[],
  rows: readonly Record<string, unknown>[],
): string | null {
  const names = new Set(fields.map(({ name }) => name));
  const missing = Object.keys(shape).find((name) => !names.has(name));
  if (missing !== undefined) return `the statement has no column "${missing}"`;
  for (const { name, dataTypeID } of fields) {
    const column = shape[name];
    if (column === undefined) return `the column "${name}" is not in the row's shape`;
    if (!column.types.some((type) => TYPE_OIDS[type] === dataTypeID)) {
      const type = TYPE_NAMES.get(dataTypeID) ?? `the type ${dataTypeID}`;
      return `the column "${name}" is ${type}, the row's shape says ${column.types.join(' or ')}`;
    }
    if (!column.isNullable && rows.some((row) => row[name] === null)) return `the column "${name}" is null in a row`;
  }
  return null;
}
