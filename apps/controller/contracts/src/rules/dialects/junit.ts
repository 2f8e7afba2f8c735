import type { DialectEnd, DialectEvent, DialectReader, SuiteExit } from './dialect.js';
import { NamedTests, type TestStatus } from './named-tests.js';

/** Longest report, in characters. */
export const JUNIT_MAX = 8 * 1024 * 1024;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/**
 * A JUnit XML report, which the suite leaves as `junit.xml` in its folder: the agent hands the text to `file`. A reader
 * of tags alone: no entity but the five of XML is expanded, no other file is read.
 */
export class JunitReader implements DialectReader {
  readonly resultsFile = 'junit.xml';
  readonly #tests = new NamedTests();
  #events: DialectEvent[] = [];
  #isWhole = false;

  line(): DialectEvent[] {
    return [];
  }

  file(text: string): void {
    let test = null as Case | null;
    for (const { name: tag, isEnd, isEmpty, attributes } of tagsOf(text.slice(0, JUNIT_MAX))) {
      const reason = attributes.get('message') ?? attributes.get('type') ?? null;
      if (tag === 'testcase' && !isEnd) {
        const [place, own] = [attributes.get('classname') ?? '', attributes.get('name') ?? ''];
        // GoogleTest lists the tests that are switched off, too.
        const ran = attributes.get('status') !== 'notrun';
        const name = place === '' ? own : `${place}/${own}`;
        test = ran ? { name, status: 'pass', reason: null } : { name, status: 'skip', reason: 'not run' };
      } else if (test !== null && !isEnd && (tag === 'failure' || tag === 'error')) {
        test = { ...test, status: 'fail', reason: test.status === 'fail' ? test.reason : reason };
      } else if (test !== null && !isEnd && tag === 'skipped' && test.status === 'pass') {
        test = { ...test, status: 'skip', reason };
      }
      if (tag === 'testcase' && test !== null && (isEnd || isEmpty)) {
        this.#events.push(this.#tests.result(test.name, test.status, test.reason));
        test = null;
      }
      // The last end tag: what comes before it is complete.
      this.#isWhole = (isEnd || isEmpty) && (tag === 'testsuites' || tag === 'testsuite') && test === null;
    }
  }

  end(exit: SuiteExit): DialectEnd {
    return { events: this.#events.splice(0), whole: this.#tests.whole(exit, this.#isWhole ? this.#tests.count : null) };
  }
}

interface Case {
  name: string;
  status: TestStatus;
  reason: string | null;
}

interface Tag {
  name: string;
  isEnd: boolean;
  isEmpty: boolean;
  attributes: Map<string, string>;
}

/** The tags of a text, without comments, CDATA and instructions. Stops at the first tag that has no end. */
function* tagsOf(text: string): Generator<Tag> {
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', at)) {
    const skipped = [
      ['<!--', '-->'],
      ['<![CDATA[', ']]>'],
      ['<?', '?>'],
      ['<!', '>'],
    ].find(([open = '']) => text.startsWith(open, at));
    if (skipped !== undefined) {
      const end = text.indexOf(skipped[1] ?? '', at + (skipped[0]?.length ?? 0));
      if (end === -1) return;
      at = end + 1;
      continue;
    }
    const tag = readTag(text, at + 1);
    if (tag === null) return;
    yield tag.tag;
    at = tag.end;
  }
}

const isNameCharacter = (character: string | undefined): boolean =>
  character !== undefined && /[\w:.-]/.test(character);

/** The tag that begins at `from`, behind its `<`. Each character is looked at once. */
function readTag(text: string, from: number): { tag: Tag; end: number } | null {
  let at = from;
  const isEnd = text[at] === '/';
  if (isEnd) at += 1;
  const word = (): string => {
    const start = at;
    while (isNameCharacter(text[at])) at += 1;
    return text.slice(start, at);
  };
  const name = word();
  const attributes = new Map<string, string>();
  let isEmpty = false;
  while (at < text.length && text[at] !== '>') {
    isEmpty = text[at] === '/';
    const attribute = word();
    if (attribute === '') {
      at += 1;
      continue;
    }
    if (text[at] !== '=') continue;
    const quote = text[at + 1];
    if (quote !== '"' && quote !== "'") return null;
    const end = text.indexOf(quote, at + 2);
    if (end === -1) return null;
    attributes.set(attribute, unescaped(text.slice(at + 2, Math.min(end, at + 2 + 2000))));
    at = end + 1;
  }
  return at >= text.length ? null : { tag: { name, isEnd, isEmpty, attributes }, end: at + 1 };
}

const unescaped = (text: string): string =>
  text.replace(/&(lt|gt|amp|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});/g, (whole, name: string) =>
    name.startsWith('#') ? codePoint(Number(name.slice(1).replace('x', '0x')), whole) : (ENTITIES[name] ?? whole),
  );

const codePoint = (code: number, otherwise: string): string =>
  code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : otherwise;
