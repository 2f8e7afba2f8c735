import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dialect } from '../../schema/suite.js';
import { growthOf } from '../../testing/growth.js';
import type { DialectEvent, SuiteExit } from './dialect.js';
import { dialectReader } from './index.js';

const SAMPLES = new URL('./samples/', import.meta.url);
const OK: SuiteExit = { code: 0, how: 'exited with 0' };
const KILLED: SuiteExit = { code: null, how: 'was ended by KILL' };
const DIALECTS = Dialect.options.filter((dialect) => dialect !== 'ktap');

/** What a reader finds in a text. */
function read(dialect: Dialect, text: string, exit: SuiteExit = OK) {
  const reader = dialectReader(dialect);
  if (reader === null) throw new Error('KTAP has a reader of its own');
  const events: DialectEvent[] = [];
  if (reader.resultsFile === undefined) for (const line of text.split('\n')) events.push(...reader.line(line));
  else reader.file?.(text);
  const end = reader.end(exit);
  events.push(...end.events);
  const results = events.flatMap((event) => (event.type === 'result' ? [event] : []));
  return {
    results: results.map(({ test, status, reason }) => `${status} ${test}${reason === null ? '' : `: ${reason}`}`),
    metrics: events.flatMap((event) => (event.type === 'metric' ? [event.metric] : [])),
    whole: end.whole,
    isPass:
      results.every(({ status }) => status !== 'fail') && !['fail', 'no-result'].includes(end.whole?.status ?? ''),
  };
}

const sample = (name: string): string => readFileSync(new URL(name, SAMPLES), 'utf8');

/** Samples by dialect: a text, and beside it what is in it. `-pass` in a name: everything passed. */
const CORPUS = readdirSync(SAMPLES)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => ({ name, dialect: Dialect.parse(name.split('.')[0]), isPass: name.includes('.pass') }));

describe('the corpus', () => {
  it('has samples of every dialect that passed and that did not', () => {
    for (const dialect of DIALECTS.filter((each) => each !== 'exit-code')) {
      const own = CORPUS.filter((each) => each.dialect === dialect);
      expect([dialect, own.some(({ isPass }) => isPass), own.some(({ isPass }) => !isPass)]).toEqual([
        dialect,
        true,
        true,
      ]);
    }
  });

  // UPDATE_GOLDEN=1 writes what is read now; look at the difference before it is committed.
  it.each(CORPUS)('$name is read as it was meant', ({ name, dialect, isPass }) => {
    const found = read(dialect, sample(name), isPass ? OK : { code: 1, how: 'exited with 1' });
    expect(found.isPass).toBe(isPass);
    const golden = new URL(`${name}.json`, SAMPLES);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, `${JSON.stringify(found, null, 2)}\n`);
    expect(found).toEqual(JSON.parse(readFileSync(golden, 'utf8')));
  });
});

describe('whatever the dialect', () => {
  it.each(DIALECTS)('%s: nothing, or another dialect, is no pass of a test', (dialect) => {
    const others = CORPUS.filter((each) => each.dialect !== dialect).map(({ name }) => sample(name));
    for (const text of ['', 'hello\n', ...others]) {
      const found = read(dialect, text);
      expect(found.results.filter((line) => line.startsWith('pass'))).toEqual([]);
      // Only the exit status says something of its own.
      if (dialect !== 'exit-code') expect(found.isPass).toBe(false);
      expect(read(dialect, text, KILLED).whole?.status).toBe('fail');
    }
  });

  it.each(DIALECTS)('%s: without a test it has no result, unless it failed or was killed', (dialect) => {
    const status = (code: number | null) => read(dialect, 'hello\n', { code, how: 'ended' }).whole?.status;
    expect([status(127), status(126), status(1), status(null)]).toEqual(['no-result', 'no-result', 'fail', 'fail']);
    expect(status(0)).toBe(dialect === 'exit-code' ? 'pass' : 'no-result');
  });

  it.each(CORPUS.filter(({ isPass }) => isPass))('$name: killed is no pass', ({ name, dialect }) => {
    expect(read(dialect, sample(name), KILLED).isPass).toBe(false);
  });

  /** These end without a summary when all is well: only their exit status says that they came to their end. */
  const WITHOUT_SUMMARY = ['nvbandwidth.pass.txt', 'gdrcopy.pass-copybw.txt', 'gdrcopy.pass-copylat.txt'];
  it.each(CORPUS.filter(({ name, isPass }) => isPass && !WITHOUT_SUMMARY.includes(name)))(
    '$name: a part of it is no pass, even with status 0',
    ({ name, dialect }) => {
      const text = sample(name).trimEnd();
      // The last two lines may be remarks.
      const lines = text.split('\n');
      fc.assert(
        fc.property(fc.nat(lines.length - 3), (count) => {
          const part = read(dialect, lines.slice(0, count).join('\n'));
          expect(part.isPass).toBe(false);
        }),
        { numRuns: 50 },
      );
    },
  );

  it.each(DIALECTS)('%s: takes whatever is printed, and no test is called nothing', (dialect) => {
    const words = fc.constantFrom(
      ...CORPUS.flatMap(({ name }) => sample(name).split('\n')),
      '[ RUN      ]',
      '<testcase name="',
      '# metric',
      '{',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 80 })), { maxLength: 60 }), (lines) => {
        const reader = dialectReader(dialect);
        const events = lines.flatMap((line) => reader?.line(line) ?? []);
        reader?.file?.(lines.join('\n'));
        events.push(...(reader?.end(OK).events ?? []));
        for (const event of events) if (event.type === 'result') expect(event.test).not.toBe('');
      }),
      { numRuns: 100 },
    );
  });

  it.each(DIALECTS)('%s: takes time in proportion to what is printed', async (dialect) => {
    // What a reader may look for again and again. Only a file is read as a whole, lines are cut.
    const pieces =
      dialect === 'junit' ? ['<', '<a ', '<testcase name="', '<testcase a=', '<!--', '&amp;'] : ['a::b PASSED '];
    for (const piece of pieces) {
      const { perDoubling } = await growthOf(
        (size) => piece.repeat(Math.ceil(size / piece.length)),
        (text) => {
          const reader = dialectReader(dialect);
          reader?.line(text);
          reader?.file?.(text);
          return reader?.end(OK);
        },
      );
      expect([piece, perDoubling < 3]).toEqual([piece, true]);
    }
  });
});
