import { z } from 'zod';
import { Metric, REASON_MAX, SAMPLES_MAX, TEST_ID_MAX } from '../schema/metric.js';
import { Proof } from '../schema/proof.js';
import { cleanText, cutText } from '../schema/text.js';

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
      number: number;
      test: string;
      ok: boolean;
      directive: 'SKIP' | 'TODO' | 'XFAIL' | 'TIMEOUT' | null;
      reason: string | null;
      depth: number;
    }
  | { type: 'proof'; proof: Proof }
  | { type: 'metric'; metric: Metric }
  | { type: 'oracle-read'; offset: number; lengthBytes: number }
  | { type: 'bail-out'; reason: string }
  | { type: 'malformed'; problem: string };

/** Expressions are anchored and have one way to match, so that a line that does not match costs its length once. */
const RESULT = /^( *)(not )?ok (\d{1,15})(?!\d)/i;
const DIRECTIVE = /^(SKIP|TODO|XFAIL|TIMEOUT)(?!\w):?/i;
const PLAN = /^( *)1\.\.(\d{1,15})(?!\d)/;
const ORACLE = /^@oracle read (0x[0-9a-f]{1,16}|\d{1,16}) (\d{1,9})$/;

/** Largest answer of the host's oracle in one request, in bytes. */
export const ORACLE_MAX_BYTES = 4096;

/**
 * Reads one line of KTAP (Documentation/dev-tools/ktap.rst) plus the farm's own diagnostics
 * `# test:`, `# proof:`, `# metric:` and `@oracle read`. Depth counts two-space indents of nested
 * KTAP. Only the first KTAP_LINE_MAX characters are looked at; names and reasons are cleaned of control
 * characters and cut. Returns null for plain text; never throws.
 */
export function parseKtapLine(raw: string): KtapEvent | null {
  const isCut = raw.length > KTAP_LINE_MAX;
  const line = isCut ? raw.slice(0, KTAP_LINE_MAX) : raw.endsWith('\r') ? raw.slice(0, -1) : raw;
  const result = parseResult(line);
  if (result !== null) return result;
  const plan = PLAN.exec(line);
  if (plan !== null) {
    const rest = line.slice(plan[0].length);
    if (rest !== '' && !rest.trimStart().startsWith('#')) return null;
    return { type: 'plan', count: Number(plan[2]), depth: Math.floor((plan[1] ?? '').length / 2) };
  }
  if (line.startsWith('# test: ')) return { type: 'starting', test: cleanText(line.slice(8).trim(), TEST_ID_MAX) };
  if (line.startsWith('# proof: ') || line.startsWith('# metric: ')) {
    if (isCut) return malformed(`longer than ${KTAP_LINE_MAX} characters: ${line.slice(0, 80)}`);
    return line.startsWith('# proof: ')
      ? fromJson(line.slice(9), Proof, (proof) => ({ type: 'proof', proof }))
      : fromJson(line.slice(10), Metric, (metric) => ({ type: 'metric', metric }));
  }
  if (line.startsWith('@oracle ')) return parseOracle(line);
  if (line.startsWith('Bail out!')) return { type: 'bail-out', reason: cleanText(line.slice(9).trim(), REASON_MAX) };
  return null;
}

/** The text of a diagnostic line of KTAP, `# TEXT`; null for any other line. The farm's own diagnostics are such lines too. */
export function parseDiagnostic(line: string): string | null {
  return line.startsWith('# ') ? line.slice(2) : null;
}

/** `[not ]ok NUMBER[ -][ NAME][ # DIRECTIVE[:] REASON]`; a `#` that no directive follows makes the line plain text. */
function parseResult(line: string): KtapEvent | null {
  const match = RESULT.exec(line);
  if (match === null) return null;
  const tail = line.slice(match[0].length);
  const hash = tail.indexOf('#');
  const name = nameOf(hash === -1 ? tail : tail.slice(0, hash), hash !== -1);
  if (name === null) return null;
  let directive: 'SKIP' | 'TODO' | 'XFAIL' | 'TIMEOUT' | null = null;
  let reason = '';
  if (hash !== -1) {
    const said = tail.slice(hash + 1).trimStart();
    const word = DIRECTIVE.exec(said);
    if (word === null) return null;
    directive = word[1]?.toUpperCase() as 'SKIP' | 'TODO' | 'XFAIL' | 'TIMEOUT';
    reason = said.slice(word[0].length).trim();
  }
  return {
    type: 'result',
    number: Number(match[3]),
    test: cleanText(name, TEST_ID_MAX),
    ok: match[2] === undefined,
    directive,
    reason: reason === '' ? null : cleanText(reason, REASON_MAX),
    depth: Math.floor((match[1] ?? '').length / 2),
  };
}

/** The name between a result's number and its directive; null when the text there is no name. */
function nameOf(text: string, hasDirective: boolean): string | null {
  const rest = text.startsWith(' -') ? text.slice(2) : text;
  if (rest === '' || rest.startsWith(' ') || (hasDirective && rest.trim() === '')) return rest.trim();
  return text.startsWith(' ') ? text.trim() : null;
}

function parseOracle(line: string): KtapEvent {
  const match = ORACLE.exec(line);
  const [offset, lengthBytes] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || !Number.isSafeInteger(offset) || lengthBytes < 1 || lengthBytes > ORACLE_MAX_BYTES) {
    return malformed(`expected "@oracle read OFFSET LENGTH" with LENGTH 1…${ORACLE_MAX_BYTES}: ${line}`);
  }
  return { type: 'oracle-read', offset, lengthBytes };
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
