import { z } from 'zod';
import { MEETING_STEPS_MAX, MEETING_TESTS_MAX } from '../../schema/meeting.js';
import { Metric, SAMPLES_MAX, TEST_ID_MAX } from '../../schema/metric.js';
import { Proof } from '../../schema/proof.js';
import { cleanText, cutText } from '../../schema/text.js';
import { prefixLength } from './prefix.js';
import { type KtapDirective, parseStructure } from './structure.js';

/**
 * Characters of a line that are looked at, enough for a metric with thousands of samples. What a suite prints
 * comes from the kernel under test: no line may cost more than a fraction of a millisecond.
 */
export const KTAP_LINE_MAX = 64 * 1024;
/** Longest description of what is wrong with a line, in characters. */
const PROBLEM_MAX = 500;

/** What one line of suite output means. Anything else is plain text and gives no event. */
export type KtapEvent =
  | { type: 'plan'; count: number; depth: number }
  | { type: 'starting'; test: string }
  | {
      type: 'result';
      /** Null where the line has none, which TAP allows. */
      number: number | null;
      test: string;
      ok: boolean;
      directive: KtapDirective | null;
      /** Text behind `#`: the reason of the directive, or diagnostic data such as `exit=1`. */
      reason: string | null;
      depth: number;
    }
  | { type: 'proof'; proof: Proof }
  | { type: 'metric'; metric: Metric }
  | { type: 'oracle-read'; offset: number; lengthBytes: number }
  | { type: 'meet'; test: number; step: number; value: string }
  | { type: 'bail-out'; reason: string }
  | { type: 'malformed'; problem: string };

const ORACLE = /^@oracle read (0x[0-9a-f]{1,16}|\d{1,16}) (\d{1,9})$/;

/** Longest value of a suite that wants to meet its peers, in characters. */
export const MEET_VALUE_MAX = 256;

/** Largest answer of the host's oracle in one request, in bytes. */
export const ORACLE_MAX_BYTES = 4096;

/**
 * Reads one line of KTAP (Documentation/dev-tools/ktap.rst) or TAP 13/14, plus the farm's own diagnostics
 * `# test:`, `# proof:`, `# metric:`, `@oracle read` and `@meet`. A prefix of printk, syslog or systemd is taken off. Depth
 * counts two-space indents of nested KTAP; `KtapReader` reads the whole as a tree. Only the first KTAP_LINE_MAX
 * characters are looked at; names and reasons are cleaned of control characters and cut. Returns null for plain text;
 * never throws.
 */
export function parseKtapLine(raw: string): KtapEvent | null {
  const isCut = raw.length > KTAP_LINE_MAX;
  const line = isCut ? raw.slice(0, KTAP_LINE_MAX) : raw.endsWith('\r') ? raw.slice(0, -1) : raw;
  if (line.startsWith('# test: ')) return { type: 'starting', test: cleanText(line.slice(8).trim(), TEST_ID_MAX) };
  if (line.startsWith('# proof: ') || line.startsWith('# metric: ')) {
    if (isCut) return malformed(`longer than ${KTAP_LINE_MAX} characters: ${line.slice(0, 80)}`);
    return line.startsWith('# proof: ')
      ? fromJson(line.slice(9), Proof, (proof) => ({ type: 'proof', proof }))
      : fromJson(line.slice(10), Metric, (metric) => ({ type: 'metric', metric }));
  }
  if (line.startsWith('# metric ')) return parseShortMetric(line);
  if (line.startsWith('@oracle ')) return parseOracle(line);
  if (line.startsWith('@meet ')) return parseMeet(line);
  const text = line.slice(prefixLength(line));
  const indent = indentOf(text);
  const structure = parseStructure(text.slice(indent), false);
  const depth = Math.floor(indent / 2);
  switch (structure?.type) {
    case 'result':
      return { ...structure, depth };
    case 'plan':
      return { type: 'plan', count: structure.count, depth };
    case 'bail-out':
      return structure;
    default:
      return null;
  }
}

/** Blanks and tabs before a text, in characters. */
export function indentOf(text: string): number {
  let at = 0;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  return at;
}

/** The text of a diagnostic line of KTAP, `# TEXT`; null for any other line. The farm's own diagnostics are such lines too. */
export function parseDiagnostic(line: string): string | null {
  return line.startsWith('# ') ? line.slice(2) : null;
}

/** `# metric NAME VALUE UNIT [better=higher]`, for programs that write no JSON; without a word lower is better. */
function parseShortMetric(line: string): KtapEvent {
  const [name, value, unit, last = 'better=lower', ...more] = line.slice(9).trim().split(/\s+/, 6);
  const number = Number(value);
  const metric = Metric.safeParse({ name, unit, better: last.replace(/^better=/, ''), samples: [number] });
  if (metric.success && value !== undefined && more.length === 0) return { type: 'metric', metric: metric.data };
  return malformed(`expected "# metric NAME VALUE UNIT [better=higher]": ${line}`);
}

function parseOracle(line: string): KtapEvent {
  const match = ORACLE.exec(line);
  const [offset, lengthBytes] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || !Number.isSafeInteger(offset) || lengthBytes < 1 || lengthBytes > ORACLE_MAX_BYTES) {
    return malformed(`expected "@oracle read OFFSET LENGTH" with LENGTH 1…${ORACLE_MAX_BYTES}: ${line}`);
  }
  return { type: 'oracle-read', offset, lengthBytes };
}

function parseMeet(line: string): KtapEvent {
  const [, test = '', step = '', ...words] = line.split(' ');
  const value = words.join(' ').trim();
  const [testNumber, stepNumber] = [naturalOf(test, MEETING_TESTS_MAX), naturalOf(step, MEETING_STEPS_MAX)];
  if (testNumber === null || stepNumber === null || value === '' || value.length > MEET_VALUE_MAX) {
    return malformed(
      `expected "@meet TEST STEP VALUE" with numbers up to ${MEETING_TESTS_MAX} and ${MEETING_STEPS_MAX} and at most ${MEET_VALUE_MAX} characters: ${line}`,
    );
  }
  return { type: 'meet', test: testNumber, step: stepNumber, value: cleanText(value, MEET_VALUE_MAX) };
}

function naturalOf(text: string, max: number): number | null {
  const number = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  return number <= max ? number : null;
}

const malformed = (problem: string): KtapEvent => ({ type: 'malformed', problem: cutText(problem, PROBLEM_MAX) });

function fromJson<T>(text: string, schema: z.ZodType<T>, event: (value: T) => KtapEvent): KtapEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed(`not JSON: ${text}`);
  }
  // A schema lists every wrong element of a list before it says that the list is too long.
  if (isLong(value)) return malformed(`a list or object in it has more than ${SAMPLES_MAX} elements`);
  const parsed = schema.safeParse(value);
  if (parsed.success) return event(parsed.data);
  return malformed(z.prettifyError(new z.ZodError(parsed.error.issues.slice(0, 3))));
}

const isLong = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  [value, ...Object.values(value)].some(
    (part) => typeof part === 'object' && part !== null && Object.keys(part).length > SAMPLES_MAX,
  );
