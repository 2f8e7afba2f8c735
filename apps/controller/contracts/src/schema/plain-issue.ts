import type { z } from 'zod';

/** How the messages begin that zod writes itself; a schema's own message is plain already and stays. */
const OWN_WORDS = /^(?:Invalid|Too (?:small|big)|Unrecognized)/;

/** Choices that a message lists. */
const CHOICES_MAX = 20;

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of fields',
  record: 'a group of fields',
  null: 'empty',
};

const FORMATS: Readonly<Record<string, string>> = {
  uuid: 'an id such as 3f9c2ab0-1d2e-4f3a-8b4c-0123456789ab',
  datetime: 'a time such as 2026-01-31T12:00:00Z',
  date: 'a day such as 2026-01-31',
  url: 'an address such as https://example.org/',
};

/** What is wrong with a value, for a person who has not read the schema; the field's name stands beside it. Pure. */
export function plainMessage(issue: z.core.$ZodIssue): string {
  if (!OWN_WORDS.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return issue.message.endsWith('received undefined')
        ? `is missing; it has to be ${typeText(issue.expected)}`
        : `has to be ${typeText(issue.expected)}`;
    case 'invalid_value':
      return `has to be ${choicesText(issue.values.map(String))}`;
    case 'invalid_format': {
      const form = FORMATS[issue.format];
      return form === undefined ? 'does not have the right form' : `has to be ${form}`;
    }
    case 'too_small':
      if (issue.origin === 'string' && Number(issue.minimum) === 1) return 'must not be empty';
      return `has to ${boundText(issue.origin, 'at least', Number(issue.minimum), issue.inclusive !== false)}`;
    case 'too_big':
      return `may ${boundText(issue.origin, 'at most', Number(issue.maximum), issue.inclusive !== false)}`;
    case 'invalid_union':
      return 'has none of the forms that are allowed here';
    case 'not_multiple_of':
      return `has to be a multiple of ${issue.divisor}`;
    default:
      return issue.message;
  }
}

const typeText = (expected: string): string => TYPES[expected] ?? `of the type ${expected}`;

function choicesText(values: readonly string[]): string {
  const [only = ''] = values;
  if (values.length <= 1) return only;
  const more = values.length - CHOICES_MAX;
  return `one of ${values.slice(0, CHOICES_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** `have at least 3 entries`, `be at most 200`, `be more than 0`. */
function boundText(origin: string, bound: 'at least' | 'at most', limit: number, isInclusive: boolean): string {
  const units: Readonly<Record<string, string>> = {
    string: 'character',
    array: 'entry',
    set: 'entry',
    object: 'field',
  };
  const unit = units[origin];
  if (unit === undefined) {
    if (!isInclusive) return `be ${bound === 'at least' ? 'more' : 'less'} than ${limit}`;
    return `be ${bound} ${limit}`;
  }
  const many = unit === 'entry' ? 'entries' : `${unit}s`;
  return `have ${bound} ${limit} ${limit === 1 ? unit : many}`;
}
