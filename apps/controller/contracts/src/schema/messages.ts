import { z } from 'zod';

/**
 * What every failed check of a schema says, where the schema has no message of its own: what is wrong; what to do. It
 * stands behind the name of the field. Importing the contracts sets it for all schemas of the process.
 */

type Issue = z.core.$ZodRawIssue;

/** Longest value, and longest list of values, that a message repeats, in characters. */
const VALUE_MAX = 60;
const LIST_MAX = 400;

/** Names of types for people. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'fields',
  record: 'fields',
  null: 'null',
  date: 'a time',
};

/** What a text of a named format is, with an example. */
const FORMATS: Readonly<Record<string, string>> = {
  uuid: 'an id, whole: 6b0e9f6e-3f0d-4a57-9a39-0d6f8a1c2b3d',
  datetime: 'a time such as 2026-01-31T12:00:00Z',
  date: 'a date such as 2026-01-31',
  url: 'an address such as http://127.0.0.1:7470',
};

const typeName = (type: string): string => TYPES[type] ?? type;

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return typeName('array');
  if (typeof value === 'number') return Number.isNaN(value) ? 'no number' : String(value);
  return typeName(typeof value);
}

/** A value as it may be repeated: a short text in quotes, a number; any other by its type. */
function shown(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > VALUE_MAX ? `${value.slice(0, VALUE_MAX)}…` : value);
  return typeof value === 'boolean' ? String(value) : typeOf(value);
}

function listed(values: readonly unknown[]): string {
  const text = values.map(shown).join(', ');
  return text.length > LIST_MAX ? `${text.slice(0, LIST_MAX)}…` : text;
}

const SEE_API = 'see the routes and schemas of the API';

const UNITS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
  set: ['entry', 'entries'],
  map: ['entry', 'entries'],
};

function counted(origin: string, count: number | bigint): string {
  const [one, many] = UNITS[origin] ?? ['', ''];
  return `${count} ${Number(count) === 1 ? one : many}`.trimEnd();
}

function sizeOf(value: unknown): number {
  return typeof value === 'string' || Array.isArray(value) ? value.length : 0;
}

function tooBig({ origin, maximum, inclusive, input }: Extract<Issue, { code: 'too_big' }>): string {
  const limit = `${inclusive === false ? 'less than' : 'at most'} ${counted(origin, maximum)}`;
  if (!(origin in UNITS)) return `${shown(input)} is too large; give ${limit}`;
  return `${counted(origin, sizeOf(input))} are too many; give ${limit}`;
}

function tooSmall({ origin, minimum, inclusive, input }: Extract<Issue, { code: 'too_small' }>): string {
  const limit = `${inclusive === false ? 'more than' : 'at least'} ${counted(origin, minimum)}`;
  if (!(origin in UNITS)) return `${shown(input)} is too small; give ${limit}`;
  const size = sizeOf(input);
  return `${size === 0 ? 'it is empty' : `${counted(origin, size)} are too few`}; give ${limit}`;
}

function invalidFormat(issue: Extract<Issue, { code: 'invalid_format' }>): string {
  const format = FORMATS[issue.format];
  // A value of another form may be a secret: it is not repeated.
  if (format !== undefined) return `${shown(issue.input)} is not valid here; give ${format}`;
  const pattern = issue.pattern === undefined ? issue.format : `the form ${issue.pattern}`;
  return `the text has another form; give one of ${pattern}`;
}

/** The message of an issue: what is wrong; what to do. Pure, and takes time in proportion to what it shows. */
export function issueText(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return `it is missing; give ${typeName(issue.expected)}`;
      return `${typeOf(issue.input)} is not valid here; give ${typeName(issue.expected)}`;
    case 'invalid_value': {
      const wrong = issue.input === undefined ? 'it is missing' : `${shown(issue.input)} is not valid here`;
      return `${wrong}; give ${issue.values.length === 1 ? '' : 'one of '}${listed(issue.values)}`;
    }
    case 'too_big':
      return tooBig(issue);
    case 'too_small':
      return tooSmall(issue);
    case 'invalid_format':
      return invalidFormat(issue);
    case 'not_multiple_of':
      return `${shown(issue.input)} is not valid here; give a multiple of ${issue.divisor}`;
    case 'unrecognized_keys':
      return `unknown ${issue.keys.length === 1 ? 'field' : 'fields'} ${listed(issue.keys)}; remove or correct`;
    case 'invalid_key':
      return `a name in it is not valid: ${issue.issues[0]?.message ?? 'use another one'}`;
    case 'invalid_union':
      if (issue.input === undefined) return `it is missing; ${SEE_API}`;
      return `${typeOf(issue.input)} of this form is not valid here; ${SEE_API}`;
    default:
      return `it is not valid; ${SEE_API}`;
  }
}

z.config({ customError: issueText });
