import { cleanText } from '../../schema/text.js';
import { type Column, parseHeader, wordsOf } from './columns.js';
import { JsonForm } from './json-form.js';
import { parseMessage, type PerftestProblem, problemOfReader } from './messages.js';
import type { PerftestRow, PerftestRun } from './model.js';
import { isNumber, isWhole } from './numbers.js';
import { parseTitle, type PerftestProgram } from './program.js';

/** Characters of a line that are looked at. perftest writes at most a few hundred. */
export const PERFTEST_LINE_MAX = 4096;
/** Rows of all tables; `--run_infinitely` prints one for each interval. */
export const PERFTEST_ROWS_MAX = 10_000;
/** Tests in one output, one behind the other. */
export const PERFTEST_RUNS_MAX = 200;
/** Longest label of a test, in characters. */
export const PERFTEST_LABEL_MAX = 40;
const LABEL = '# perftest label: ';
/** Settings of one test; perftest prints about twenty. */
const SETTINGS_MAX = 64;
const SETTING_MAX = 100;
const PROBLEM_TEXT_MAX = 500;

/**
 * Reads the output of perftest line by line: tables of the bandwidth and latency tests, the JSON form, and what the
 * programs complain of. All of it is foreign text: every list has a maximum, and what is beyond is reported as left out.
 */
export class PerftestReader {
  readonly runs: PerftestRun[] = [];
  readonly #problems = new Map<string, PerftestProblem>();
  #run: PerftestRun | null = null;
  #columns: Column[] | null = null;
  #json: JsonForm | null = null;
  #isServer = false;
  #label = '';
  #rows = 0;

  get problems(): PerftestProblem[] {
    return [...this.#problems.values()];
  }

  push(raw: string): void {
    const cut = raw.slice(0, PERFTEST_LINE_MAX);
    const line = cut.endsWith('\r') ? cut.slice(0, -1) : cut;
    if (line.startsWith(LABEL)) this.#label = cleanText(line.slice(LABEL.length).trim(), PERFTEST_LABEL_MAX);
    const program = parseTitle(line.trim());
    if (program !== null) this.#beginTest(program);
    else if (this.#json !== null) this.#pushJson(this.#json, line);
    else if (JsonForm.isBegun(line)) {
      this.#json = new JsonForm();
      this.#pushJson(this.#json, line);
    } else this.#readLine(line);
  }

  /** To be called once after the last line. */
  end(): void {
    if (this.#json !== null) this.#complain('incomplete', 'the JSON has no end');
    const hasError = this.problems.some(({ severity }) => severity === 'error');
    for (const { rows, program } of hasError ? [] : this.runs) {
      if (rows.length === 0) this.#complain('incomplete', `${program?.name ?? 'a test'} printed no figures`);
    }
  }

  #beginTest(program: PerftestProgram): void {
    if (this.#json !== null) {
      this.#json = null;
      this.#complain('incomplete', 'the JSON has no end');
    }
    this.#begin({ program, form: 'text', role: this.#isServer ? 'server' : 'client' });
    this.#isServer = false;
  }

  #begin(begun: Pick<PerftestRun, 'program' | 'form' | 'role'>): PerftestRun | null {
    this.#columns = null;
    this.#run = null;
    if (this.runs.length >= PERFTEST_RUNS_MAX) this.#complain('left-out', `more than ${PERFTEST_RUNS_MAX} tests`);
    else {
      this.#run = { ...begun, label: this.#label, dialect: null, settings: {}, isWhole: false, rows: [] };
      this.runs.push(this.#run);
    }
    return this.#run;
  }

  #readLine(line: string): void {
    if (line.includes('Waiting for client to connect')) this.#isServer = true;
    if (this.#readTable(line)) return;
    const message = parseMessage(line);
    if (message !== null) this.#note(message, line);
    else if (this.#columns === null && this.#run !== null) readSettings(line, this.#run);
  }

  /** Whether the line belongs to a table. */
  #readTable(line: string): boolean {
    const words = wordsOf(line);
    if (words[0] === '#bytes') {
      this.#columns = parseHeader(line);
      if (this.#columns === null) this.#complain('header', line);
      // A table without a title: the output was filtered. Its figures count all the same.
      else if (this.#run === null) this.#columns = this.#beginUntitled(this.#columns);
      if (this.#run !== null) this.#run.dialect ??= dialectOfHeader(line);
      return true;
    }
    if (this.#columns === null) return false;
    if (line.startsWith('---')) {
      if (this.#run !== null) this.#run.isWhole = this.#run.rows.length > 0;
      this.#columns = null;
      return true;
    }
    if (!isWhole(words[0])) return false;
    this.#addRow(this.#columns, words, line);
    return true;
  }

  #beginUntitled(columns: Column[]): Column[] | null {
    return this.#begin({ program: null, form: 'text', role: 'client' }) === null ? null : columns;
  }

  #addRow(columns: readonly Column[], words: readonly string[], line: string): void {
    if (words.length !== columns.length) {
      this.#complain('row', line);
      return;
    }
    const row: PerftestRow = { bytes: Number(words[0]), iterations: null, level: null, values: [] };
    for (const [index, column] of columns.entries()) {
      const word = words[index] ?? '';
      if (column.what === 'iterations') row.iterations = isWhole(word) ? Number(word) : null;
      else if (column.what === 'level') row.level = isWhole(word) ? Number(word) : null;
      else if (column.what === 'bytes') continue;
      else if (isNumber(word)) row.values.push({ column, value: Number(word) });
      else this.#complain('value', line);
    }
    this.#store(row);
  }

  #store(row: PerftestRow): void {
    if (this.#rows >= PERFTEST_ROWS_MAX) this.#complain('left-out', `more than ${PERFTEST_ROWS_MAX} rows`);
    else if (this.#run !== null) {
      this.#rows += 1;
      this.#run.rows.push(row);
    }
  }

  #pushJson(json: JsonForm, line: string): void {
    json.push(line);
    if (!json.isOver) return;
    this.#json = null;
    const rows = json.rows(({ id, text }) => this.#complain(id, text));
    const program = parseTitle(json.settings.get('test') ?? '');
    if (program === null && rows.length === 0) return;
    const run = this.#begin({ program, form: 'json', role: 'client' });
    if (run === null) return;
    run.dialect = json.hasQuotedKeys ? 'later' : '6.06';
    for (const [name, value] of json.settings) addSetting(run, name.replaceAll('_', ' '), value);
    for (const row of rows) this.#store(row);
    run.isWhole = run.rows.length > 0;
    this.#run = null;
  }

  #complain(id: Parameters<typeof problemOfReader>[0], text: string): void {
    this.#note(problemOfReader(id), text);
  }

  #note(problem: Pick<PerftestProblem, 'id' | 'severity' | 'remedy'>, text: string): void {
    const known = this.#problems.get(problem.id);
    if (known === undefined)
      this.#problems.set(problem.id, { ...problem, text: cleanText(text.trim(), PROBLEM_TEXT_MAX), count: 1 });
    else known.count += 1;
  }
}

function dialectOfHeader(line: string): PerftestRun['dialect'] {
  if (line.includes('[MiB/sec]')) return 'later';
  return line.includes('[MB/sec]') ? '6.06' : null;
}

/** Lines before a table that have colons and are no settings. */
const NO_SETTINGS = ['local address:', 'remote address:', 'GID:'];

/** ` Number of qps   : 1\t\tTransport type : IB`: names before colons, values behind them. */
function readSettings(line: string, run: PerftestRun): void {
  const text = line.trim();
  if (!line.startsWith(' ') || NO_SETTINGS.some((start) => text.startsWith(start))) return;
  let name = '';
  for (const [index, part] of text.split(':').entries()) {
    const piece = part.trim();
    const gap = firstGap(piece);
    if (index > 0) addSetting(run, name, gap === -1 ? piece : piece.slice(0, gap));
    // Before the first colon stands a name alone, between two a value and the next name.
    name = index === 0 ? piece : gap === -1 ? '' : piece.slice(gap).trim();
  }
  if ('Lock-free' in run.settings) run.dialect = 'later';
  else if ('PCIe relax order' in run.settings) run.dialect ??= '6.06';
}

/** Where a tab or two blanks stand, the first of them; -1 where words are one blank apart. */
function firstGap(text: string): number {
  const [tab, blanks] = [text.indexOf('\t'), text.indexOf('  ')];
  if (tab === -1) return blanks;
  return blanks === -1 ? tab : Math.min(tab, blanks);
}

function addSetting({ settings }: PerftestRun, name: string, value: string): void {
  if (name === '' || value === '' || name.length > SETTING_MAX) return;
  if (Object.keys(settings).length < SETTINGS_MAX)
    settings[cleanText(name, SETTING_MAX)] = cleanText(value, SETTING_MAX);
}
