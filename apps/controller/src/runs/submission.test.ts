import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearestName } from './nearest-name.js';
import { readSubmission } from './submission.js';
import { PARTS_MAX } from './yaml-structure.js';

const problemsOf = (yaml: string) => {
  const submitted = readSubmission(yaml);
  return submitted.ok ? [] : submitted.problems;
};

describe('readSubmission', () => {
  it('fills in defaults', () => {
    const submitted = readSubmission('name: x\nbuilds: [{name: base, series: []}]\n');
    expect(submitted).toMatchObject({ ok: true, spec: { priority: 50, suites: [] } });
  });

  it('gives line and column of malformed YAML', () => {
    expect(problemsOf('name: x\nbuilds: [\n  {name: a\n')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: '', line: expect.any(Number), column: expect.any(Number) }),
      ]),
    );
    expect(problemsOf('name: "x\n')[0]?.message).toMatch(/not valid YAML/);
    expect(problemsOf('a: 1\na: 2\n')[0]).toMatchObject({ line: 2, column: 1 });
  });

  it('names an unknown field with the nearest known one, at its key', () => {
    const [problem] = problemsOf('name: x\nbuilds:\n  - name: a\n    series: []\nmachins:\n  names: [v]\n');
    expect(problem).toEqual({
      path: 'machins',
      message: 'unknown field "machins"',
      remedy: 'did you mean "machines"?',
      line: 5,
      column: 1,
    });
    const nested = problemsOf('name: x\nbuilds:\n  - name: a\n    series: []\nmachines:\n  lables: {a: b}\n');
    expect(nested[0]).toMatchObject({ path: 'machines.lables', remedy: 'did you mean "labels"?', line: 6, column: 3 });
  });

  it('points at the value that is wrong', () => {
    const [problem] = problemsOf('name: x\nbuilds:\n  - name: a\n    series: [bundled, 7]\n');
    expect(problem).toMatchObject({ path: 'builds.0.series.1', line: 4, column: 23 });
    expect(problem?.message).toMatch(/expected "bundled"/);
    expect(problemsOf('name: x\nbuilds:\n  - {name: a, series: []}\npriority: 900\n')[0]).toMatchObject({
      line: 4,
      column: 11,
    });
  });

  it('points at what surrounds a missing field', () => {
    expect(problemsOf('# a comment\nname: x\n')[0]).toMatchObject({ path: 'builds', line: 2, column: 1 });
  });

  it('says what it expects instead of a text or nothing', () => {
    expect(problemsOf('')[0]?.message).toMatch(/expected fields/);
    expect(problemsOf('just a sentence')[0]).toMatchObject({ line: 1, column: 1 });
    expect(problemsOf('- a\n- b\n')[0]?.message).toMatch(/expected fields/);
  });

  it('refuses a text that unfolds without end', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      'b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]',
      'c: &c [*b,*b,*b,*b,*b,*b,*b,*b]',
      'd: [*c,*c,*c,*c,*c]',
    ];
    expect(problemsOf(bomb.join('\n'))[0]?.message).toMatch(/alias/i);
  });

  it('names fifty problems and says how many more there are', () => {
    const fields = Array.from({ length: 120 }, (_, index) => `field${index}: 1\n`).join('');
    const problems = problemsOf(`name: x\nbuilds: [{name: a, series: []}]\n${fields}`);
    expect(problems).toHaveLength(51);
    expect(problems[49]).toMatchObject({ path: 'field49', line: 52 });
    expect(problems[50]).toEqual({ path: '', message: 'and 70 more problems' });
    expect(problemsOf(`[${'}'.repeat(200)}`)).toHaveLength(51);
    expect(problemsOf('a: 1\n'.repeat(200))).toHaveLength(51);
    const [long] = problemsOf(`name: x\nbuilds: []\n${'k'.repeat(100_000)}: 1\n`).slice(-1);
    expect(JSON.stringify(long).length).toBeLessThan(1000);
  });

  it('refuses texts of too many parts or too deep, at the first one too many, and takes long patches', () => {
    const many = problemsOf(`name: x\nmachines: {names: [${'a, '.repeat(PARTS_MAX)}]}\n`);
    expect(many).toMatchObject([{ message: `has more than ${PARTS_MAX} names, values and signs`, line: 2 }]);
    const deep = [
      '['.repeat(300),
      '- '.repeat(300),
      '{a: '.repeat(300),
      '? '.repeat(300),
      Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''),
    ];
    for (const text of deep) expect(problemsOf(text)[0]?.message).toMatch(/^nests deeper than 200/);
    const patch = `          +[[[[{{{{- - - - ? ? ? ?${' '.repeat(300)}\n`.repeat(10_000);
    const yaml = `name: x\nbuilds:\n  - name: a\n    series:\n      - mbox: |\n${patch}`;
    expect(readSubmission(yaml).ok).toBe(true);
  });

  it('never throws, whatever was typed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const submitted = readSubmission(text);
        return submitted.ok || submitted.problems.length > 0;
      }),
    );
  });
});

it('nearestName wants a name that is really near', () => {
  expect(nearestName('v-swich', ['v-switch', 'v-amd-roots'])).toBe('v-switch');
  expect(nearestName('sereis', ['series', 'suites'])).toBe('series');
  expect(nearestName('nmae', ['machines', 'name'])).toBe('name');
  expect(nearestName('mainframe', ['v-switch'])).toBeNull();
});
