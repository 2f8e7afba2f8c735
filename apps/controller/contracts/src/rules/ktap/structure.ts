import { REASON_MAX, TEST_ID_MAX } from '../../schema/metric.js';
import { cleanText } from '../../schema/text.js';

/** Directives of Documentation/dev-tools/ktap.rst; any other text behind `#` is diagnostic data. */
export type KtapDirective = 'SKIP' | 'TODO' | 'XFAIL' | 'TIMEOUT' | 'ERROR';

export interface ResultLine {
  type: 'result';
  /** Null where the line has none, which TAP allows. */
  number: number | null;
  /** Empty when the line has no description. */
  test: string;
  ok: boolean;
  directive: KtapDirective | null;
  /** The text behind `#`, without the directive. */
  reason: string | null;
}

/** A line that makes the structure of KTAP or TAP; everything else is diagnostic or unknown. */
export type StructureLine =
  | ResultLine
  | { type: 'version'; format: 'KTAP' | 'TAP'; version: number }
  | { type: 'subtest'; name: string }
  | { type: 'plan'; count: number; skip: string | null }
  | { type: 'bail-out'; reason: string };

/** Expressions are anchored and have one way to match, so that a line that does not match costs its length once. */
const VERSION = /^(KTAP|TAP) version (\d{1,4})$/;
const PLAN = /^1\.\.(\d{1,15})(?!\d)/;
const RESULT = /^(not )?ok(?: (\d{1,15})(?!\d))?/;
/** What may follow the number. Kernels of 2018 wrote `ok 1..3 selftests: …`; the kernel's parser takes it. */
const AFTER_NUMBER = /^(?:$|[ \t:#]|- |\.\.\d)/;
const DIRECTIVE = /^(?:(SKIP)(?:PED)?|(TODO|XFAIL|TIMEOUT|ERROR))(?!\w):?/i;
/** The kernel's parser looks for this anywhere in a result. */
const LAST_SKIP = ' # SKIP';
const SUBTEST = '# Subtest: ';
const BAIL_OUT = 'Bail out!';

/**
 * Reads a line without prefix, indentation and end of line. Keywords are lower case, directives are not. Without
 * `isTap` a result without a number needs a ` -` or a ` #`: "ok" alone may be anything. Takes linear time, never throws.
 */
export function parseStructure(text: string, isTap: boolean): StructureLine | null {
  switch (text[0]) {
    case 'o':
    case 'n':
      return parseResult(text, isTap);
    case '1':
      return parsePlan(text);
    case '#':
      if (!text.startsWith(SUBTEST)) return null;
      return { type: 'subtest', name: cleanText(text.slice(SUBTEST.length).trim(), TEST_ID_MAX) };
    case 'B':
      if (!text.startsWith(BAIL_OUT)) return null;
      return { type: 'bail-out', reason: cleanText(text.slice(BAIL_OUT.length).trim(), REASON_MAX) };
    case 'K':
    case 'T': {
      const match = VERSION.exec(text);
      if (match === null) return null;
      return { type: 'version', format: match[1] === 'KTAP' ? 'KTAP' : 'TAP', version: Number(match[2]) };
    }
    default:
      return null;
  }
}

/** `1..N[ # [SKIP] REASON]`; `skip` is the reason of a plan without tests. */
function parsePlan(text: string): StructureLine | null {
  const match = PLAN.exec(text);
  if (match === null) return null;
  const rest = text.slice(match[0].length).trimStart();
  if (rest !== '' && !rest.startsWith('#')) return null;
  const count = Number(match[1]);
  const said = rest.slice(1).trim();
  const word = DIRECTIVE.exec(said);
  const isSkip = count === 0 && word?.[1] !== undefined;
  return { type: 'plan', count, skip: isSkip ? cleanText(said.slice(word[0].length).trim(), REASON_MAX) : null };
}

/** `[not ]ok[ NUMBER][ -][ NAME][ # [DIRECTIVE[:]] REASON]`. */
function parseResult(text: string, isTap: boolean): ResultLine | null {
  const match = RESULT.exec(text);
  if (match === null) return null;
  const tail = text.slice(match[0].length);
  if (match[2] !== undefined ? !AFTER_NUMBER.test(tail) : !mayLackNumber(tail, isTap)) return null;
  const { name, directive, reason } = splitTail(tail);
  return {
    type: 'result',
    number: match[2] === undefined ? null : Number(match[2]),
    test: cleanText(nameOf(name), TEST_ID_MAX),
    ok: match[1] === undefined,
    directive,
    reason: reason === '' ? null : cleanText(reason, REASON_MAX),
  };
}

function mayLackNumber(tail: string, isTap: boolean): boolean {
  if (tail !== '' && tail[0] !== ' ' && tail[0] !== '\t') return false;
  const start = tail.trimStart();
  if (isTap) return !/^\d/.test(start);
  return start.startsWith('#') || start === '-' || start.startsWith('- ');
}

/** A `#` parts name and reason when it stands alone between blanks, or when a directive follows: `C#` and `#2` do not. */
function splitTail(tail: string): { name: string; directive: KtapDirective | null; reason: string } {
  const hash = separatorIn(tail);
  if (hash === -1) return { name: tail, directive: null, reason: '' };
  const name = tail.slice(0, hash);
  const skip = tail.lastIndexOf(LAST_SKIP);
  const said = tail.slice(skip + 1 > hash && isWordEnd(tail, skip) ? skip + 2 : hash + 1).trim();
  const word = DIRECTIVE.exec(said);
  if (word === null) return { name, directive: null, reason: said };
  const directive = (word[1] ?? word[2] ?? '').toUpperCase() as KtapDirective;
  return { name, directive, reason: said.slice(word[0].length).trim() };
}

function separatorIn(tail: string): number {
  for (let hash = tail.indexOf('#'); hash !== -1; hash = tail.indexOf('#', hash + 1)) {
    if (hash > 0 && !isBlank(tail[hash - 1])) continue;
    if (isBlank(tail[hash + 1]) || DIRECTIVE.test(tail.slice(hash + 1, hash + 16))) return hash;
  }
  return -1;
}

const isBlank = (character: string | undefined): boolean =>
  character === undefined || character === ' ' || character === '\t';
const isWordEnd = (tail: string, skip: number): boolean => DIRECTIVE.test(tail.slice(skip + 3, skip + 16));

/** The name without the dash before it; TAP 14 writes a `#` that belongs to it as `\#`. */
function nameOf(text: string): string {
  const start = text.trimStart();
  const name = start === '-' || start.startsWith('- ') ? start.slice(1).trim() : start.trimEnd();
  return name.includes('\\#') ? name.replaceAll('\\#', '#') : name;
}
