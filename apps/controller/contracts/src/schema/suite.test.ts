import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fileOfSpec,
  problemItems,
  RunFile,
  specOfFile,
  suiteOfVariant,
  SuiteName,
  suitesFor,
  suiteVariants,
} from '../index.js';

const file = (...suites: unknown[]) => ({ name: 'x', builds: [{ name: 'a', series: [] }], suites });
const problems = (...suites: unknown[]) => {
  const parsed = RunFile.safeParse(file(...suites));
  return parsed.success ? [] : problemItems(parsed.error).map(({ path, message }) => `${path}: ${message}`);
};

describe('a suite in a run file', () => {
  it('is a name or what it is', () => {
    expect(problems('kunit', { name: 'mine', script: 'exit 0' })).toEqual([]);
    expect(
      problems({ name: 'mine', command: ['fio', 'job'], package: 'fio', needs: { devices: ['/dev/nvme0n1'] } }),
    ).toEqual([]);
    expect(problems(3)).toEqual(['suites.0: expected the name of a suite, or what it is: name, script and so on']);
  });

  it('names the field that is wrong', () => {
    expect(problems({ name: 'mine', script: 'x', scrpt: 'x' })).toEqual(['suites.0.scrpt: unknown field "scrpt"']);
    expect(problems({ name: 'mine' })).toEqual([
      'suites.0: the suite "mine" does not say how it is started; give one of script, command, path, kselftest',
    ]);
    expect(problems({ name: 'mine', script: 'x', path: '/bin/true' })[0]).toMatch(/has script and path; give one of/);
    expect(problems({ name: 'farm', script: 'x' })[0]).toMatch(/^suites.0.name: the name "farm"/);
    expect(problems({ name: 'a', script: 'x' }, { name: 'a', script: 'y' })).toEqual([
      'suites.1.name: the name "a" is used twice',
    ]);
    expect(problems({ name: 'a', script: 'x', parameters: { 'A B': 1 } })[0]).toMatch(/^suites.0.parameters/);
    expect(problems({ name: 'a', script: 'x', parameters: { PEERLAB_SUITE: 1 } })[0]).toMatch(/PEERLAB_/);
    expect(problems({ name: 'a', script: 'x', files: [{ name: '../x', artifact: 'a'.repeat(64) }] })[0]).toMatch(
      /^suites.0.files.0.name/,
    );
    expect(problems({ name: 'a', kselftest: '../mm' })[0]).toMatch(/^suites.0.kselftest/);
    expect(problems({ name: 'a', script: 'x'.repeat(70_000) })[0]).toMatch(/^suites.0.script/);
    const values = Array.from({ length: 8 }, (_, index) => index);
    expect(problems({ name: 'a', script: 'x', matrix: { A: values, B: values } })[0]).toBe(
      'suites.0.matrix: makes 64 variants, at most 32 are possible; give fewer values',
    );
  });

  it('may be named by a build and a selection, with all its variants or one', () => {
    const suite = { name: 'io', script: 'x', matrix: { SIZE: ['4k', '1M'] } };
    const spec = specOfFile(
      RunFile.parse({
        ...file(suite, 'kunit'),
        builds: [
          { name: 'all', series: [], suites: ['io'] },
          { name: 'one', series: [], suites: ['io[SIZE=4k]', 'kunit'] },
        ],
        suiteMachines: { 'io[SIZE=1M]': { names: ['big'] } },
      }),
    );
    const [all, one] = spec.builds;
    if (all === undefined || one === undefined) throw new Error('two builds');
    const machine = (name: string, more = {}) => ({ name, labels: {}, paths: [], ...more });
    expect(suitesFor(spec, all, machine('big'))).toEqual(['io[SIZE=4k]', 'io[SIZE=1M]']);
    expect(suitesFor(spec, all, machine('small'))).toEqual(['io[SIZE=4k]']);
    expect(suitesFor(spec, one, machine('big'))).toEqual(['io[SIZE=4k]', 'kunit']);
    expect(suitesFor(spec, one, machine('big', { runsOwnSuites: false }))).toEqual(['kunit']);
  });

  it('is back as it was written when a stored run becomes a file again', () => {
    const suites = ['kunit', { name: 'io', script: 'x', matrix: { SIZE: ['4k', 1], FAST: [true] } }, 'p2p-perf'];
    const parsed = RunFile.parse(file(...suites));
    const spec = specOfFile(parsed);
    expect(spec.suites).toEqual(['kunit', 'io[SIZE=4k,FAST=true]', 'io[SIZE=1,FAST=true]', 'p2p-perf']);
    expect(fileOfSpec(spec)).toEqual(parsed);
  });
});

it('variants have names of their own, of which the suite can be told', () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,20}$/);
  const variable = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,5}$/).filter((each) => !each.startsWith('PEERLAB_'));
  const value = fc.oneof(fc.stringMatching(/^[a-zA-Z0-9_.:+-]{1,8}$/), fc.integer(), fc.boolean());
  const matrix = fc.dictionary(variable, fc.uniqueArray(value, { minLength: 1, maxLength: 3, selector: String }), {
    maxKeys: 3,
  });
  fc.assert(
    fc.property(name, matrix, (suite, values) => {
      const variants = suiteVariants({ name: suite, matrix: values });
      const count = Object.values(values).reduce((product, each) => product * each.length, 1);
      expect(new Set(variants.map((variant) => variant.name)).size).toBe(count);
      for (const variant of variants) {
        expect(SuiteName.safeParse(variant.name).success).toBe(true);
        expect(suiteOfVariant(variant.name)).toBe(suite);
        expect(Object.keys(variant.parameters)).toEqual(Object.keys(values));
      }
    }),
    { numRuns: 100 },
  );
});
