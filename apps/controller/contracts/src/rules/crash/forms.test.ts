import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readCrashes } from './whole-log.js';

/**
 * One report of each kind behind `=== TITLE`, written in the words of Linux 7.3 for x86, arm64 and RISC-V; functions,
 * addresses and numbers are made up. The titles are the canonical ones of syzkaller's dashboards.
 */
const REPORTS = readFileSync(new URL('../../../fixtures/crashes/reports.txt', import.meta.url), 'utf8')
  .split(/^=== /m)
  .slice(1)
  .map((text): [title: string, lines: string[]] => {
    const [title = '', ...lines] = text.replace(/\n$/, '').split('\n');
    return [title, lines];
  });
/** Lines of sound kernels and programs that have words of a report in them. */
const SOUND = readFileSync(new URL('../../../fixtures/crashes/sound.txt', import.meta.url), 'utf8').split('\n');

type Form = (line: string, at: number) => string;
const micros = (at: number): string => String(200_300 + at);
const time = (at: number, caller = ''): string => `[   41.${micros(at)}]${caller} `;
/** What stands before or behind a line of the kernel, by who recorded it. */
const RECORDERS: Readonly<Record<string, Form>> = {
  'no prefix at all': (line) => line,
  'printk’s time': (line, at) => time(at) + line,
  'a task as the caller': (line, at) => time(at, '[  T412]') + line,
  'a CPU as the caller': (line, at) => time(at, '[    C1]') + line,
  'a level': (line, at) => `<4>${time(at)}${line}`,
  'carriage returns': (line, at) => `${time(at)}${line}\r`,
  'blanks behind': (line, at) => `${time(at)}${line}  `,
  'an uptime of days': (line, at) => `[ 1234567.${micros(at)}] ${line}`,
  'dmesg -x': (line, at) => `kern  :warn  : ${time(at)}${line}`,
  'dmesg -T': (line) => `[Mon Nov 30 23:18:52 2026] ${line}`,
  'dmesg --time-format=iso': (line, at) => `2026-11-30T23:18:52,${micros(at)}+00:00 ${line}`,
  'dmesg --color': (line, at) => `\u001b[32m${time(at)}\u001b[0m\u001b[1m${line}\u001b[0m`,
  'a terminal that is reset': (line, at) => `\u001b[0m${time(at)}${line}\u001b[0m`,
  journalctl: (line) => `Nov 30 23:18:52 vm1 kernel: ${line}`,
  'journalctl -o short-iso': (line) => `2026-11-30T23:18:52+0000 vm1 kernel: ${line}`,
  rsyslog: (line, at) => `2026-11-30T23:18:52.123456+00:00 vm1 kernel: ${time(at)}${line}`,
  '/dev/kmsg': (line, at) => `4,${1000 + at},${41_200_300 + at},-;${line}`,
  '/dev/kmsg with callers': (line, at) => `4,${1000 + at},${41_200_300 + at},-,caller=T412;${line}`,
  'the log of a CI system': (line, at) => `2026-11-30T23:18:52.1234567Z ${time(at)}${line}`,
  'a console server': (line, at) => `[2026-11-30 23:18:52] ${time(at)}${line}`,
  'a console server with a clock': (line, at) => `[Mon Nov 30 23:18:52 2026]${time(at)}${line}`,
  'diagnostics of a test': (line, at) => `# ${time(at)}${line}`,
  'a login prompt': (line, at) => `${at % 7 === 3 ? 'vm1 login: ' : ''}${time(at)}${line}`,
};
const recorded = (lines: readonly string[], form: Form): string[] => lines.map((line, at) => form(line, at));

const CALL = /([a-zA-Z0-9_.]+)\+0x[0-9a-f]+\/0x[0-9a-f]+/g;
/** What happens to the lines of a report. */
const CHANGES: Readonly<Record<string, (lines: readonly string[]) => string[]>> = {
  'names of lines behind the functions': (lines) =>
    lines.map((line) => line.replace(/(0x[0-9a-f]+)$/, '$1 drivers/a.c:61')),
  'inlined functions before them': (lines) =>
    lines.flatMap((line) =>
      /^ \w+\+0x/.test(line) ? [' inlined include/linux/x.h:3 [inline]', `${line} a.c:61`] : [line],
    ),
  'scripts/decode_stacktrace.sh': (lines) => lines.map((line) => line.replace(CALL, '$1 (drivers/p2p/alpha.c:61)')),
  'a program that prints in between': (lines) =>
    lines.flatMap((line, at) => (at % 3 === 1 ? [line, 'ok 3 - talks'] : [line])),
};

/** Titles in the order of the report; those that may be wrong say so. */
const titles = (lines: readonly string[]): string[] =>
  readCrashes(lines).map(({ title, corrupted }) => (corrupted ? `${title} (corrupted)` : title));

describe('a report has its title', () => {
  it.each(Object.entries(RECORDERS))('as recorded with %s', (_name, form) => {
    for (const [title, lines] of REPORTS) expect(titles(recorded(lines, form))).toEqual([title]);
  });

  it.each(Object.entries(CHANGES))('with %s', (_name, change) => {
    for (const [title, lines] of REPORTS) {
      expect(titles(change(lines))).toEqual([title]);
      expect(
        titles(recorded(change(lines), (line, at) => time(at) + line)).filter((found) => !found.startsWith('ok')),
      ).toEqual([title]);
    }
  });

  it('beside another report that is printed at the same time', () => {
    for (const [index, [title, lines]] of REPORTS.entries()) {
      const next = REPORTS[(index + 7) % REPORTS.length];
      if (next === undefined || next[0] === title) continue;
      const [other, theirs] = next;
      const mixed: string[] = [];
      for (let at = 0; at < Math.max(lines.length, theirs.length); at += 1) {
        if (at < lines.length) mixed.push(time(2 * at, '[  T412]') + (lines[at] ?? ''));
        if (at < theirs.length) mixed.push(time(2 * at + 1, '[   T77]') + (theirs[at] ?? ''));
      }
      expect(titles(mixed).toSorted()).toEqual([title, other].toSorted());
    }
  });

  it('wherever it is cut off, or says that it may be wrong', () => {
    for (const [title, lines] of REPORTS) {
      for (let count = 1; count < lines.length; count += 1) {
        const found = titles(recorded(lines.slice(0, count), (line, at) => time(at) + line));
        expect(found.filter((each) => each !== title && !each.endsWith('(corrupted)'))).toEqual([]);
      }
    }
  });

  it('where its lines have lost their ends', () => {
    for (const [title, lines] of REPORTS) {
      for (let lost = 1; lost < lines.length; lost += 1) {
        const whole = recorded(lines, (line, at) => time(at) + line);
        whole.splice(lost - 1, 2, `${whole[lost - 1] ?? ''}${whole[lost] ?? ''}`);
        expect(titles(whole)).toEqual([title]);
      }
    }
  });
});

it.each(Object.entries(RECORDERS))('sound lines have no report in them, as recorded with %s', (_name, form) => {
  expect(titles(recorded(SOUND, form))).toEqual([]);
});
