import { RunSpec } from '@peerlab/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { EXAMPLES } from './examples.js';
import {
  addBuild,
  addRole,
  readForm,
  removeRole,
  setField,
  setList,
  setOnTop,
  setSource,
  type RunForm,
} from './form-model.js';

const YAML = `# why this run exists
name: mine # short

builds:
  - name: base # untouched
    series: []
  - name: v2
    series: [{mutant: m1}, bundled]
suites: [p2p-functional] # only this one
machines:
  # the fast ones
  labels: {cpu: amd}
`;
const formOf = (yaml: string): RunForm => {
  const reading = readForm(yaml);
  if (!reading.ok) throw new Error(reading.why);
  return reading.form;
};

describe('readForm', () => {
  it('shows what the YAML says, with the defaults of the schema', () => {
    expect(formOf(YAML)).toEqual({
      name: 'mine',
      builds: [
        { name: 'base', source: 'base', detail: '', git: null },
        { name: 'v2', source: 'other', detail: 'mutant m1, then the bundled series', git: null },
      ],
      suites: ['p2p-functional'],
      names: [],
      paths: [],
      allPairs: false,
      labels: { cpu: 'amd' },
      roles: [],
      sameLabels: [],
      priority: 50,
      repeat: 1,
      bootSeconds: null,
      attemptSeconds: null,
    });
    expect(formOf('').suites).toEqual([]);
  });
  it('shows the roles of a job, and adds and removes them in place', () => {
    const two = addRole(YAML, []);
    expect(formOf(two).roles.map(({ name }) => name)).toEqual(['client', 'server']);
    const chosen = setList(setList(two, ['roles', 1, 'machines', 'names'], ['v-b']), ['roles', 1, 'builds'], ['base']);
    const server = { name: 'server', machines: ['v-b'], builds: ['base'] };
    const anything = { labels: {}, paths: [], suites: [], rdmaDevice: '' };
    expect(formOf(chosen).roles[1]).toEqual({ ...anything, ...server });
    const path = ['roles', 1];
    const labelled = setField(chosen, [...path, 'machines', 'labels', 'lab'], 'a');
    const narrow = [
      (yaml: string) => setList(yaml, [...path, 'machines', 'paths'], ['BUS_ADDR']),
      (yaml: string) => setList(yaml, [...path, 'suites'], ['p2p-functional']),
      (yaml: string) => setField(yaml, [...path, 'rdmaDevice'], 'mlx5_0'),
    ].reduce((yaml, edit) => edit(yaml), labelled);
    const narrowed = { labels: { lab: 'a' }, paths: ['BUS_ADDR'], suites: ['p2p-functional'], rdmaDevice: 'mlx5_0' };
    expect(formOf(narrow).roles[1]).toEqual({ ...narrowed, ...server });
    expect(RunSpec.parse(parse(narrow)).roles?.[1]).toMatchObject({ rdmaDevice: 'mlx5_0', suites: ['p2p-functional'] });
    // What is taken away again leaves nothing behind.
    expect(
      setField(
        setField(two, ['roles', 0, 'machines', 'labels', 'lab'], 'a'),
        ['roles', 0, 'machines', 'labels', 'lab'],
        undefined,
      ),
    ).toBe(two);
    const related = `${chosen}relation: {sameLabels: [switch]}\n`;
    expect(formOf(related).sameLabels).toEqual(['switch']);
    const three = addRole(related, ['client', 'server']);
    expect(formOf(removeRole(three, 0, 3)).roles.map(({ name }) => name)).toEqual(['server', 'role-3']);
    expect(removeRole(related, 0, 2)).toBe(YAML);
    expect(RunSpec.parse(parse(three)).roles).toHaveLength(3);
  });
  it('reads every example', () => {
    for (const { yaml } of EXAMPLES) expect(formOf(yaml).builds.length).toBeGreaterThan(0);
  });
  it('is not put off by fields that are wrong, and says when it cannot read at all', () => {
    expect(formOf('name: 3\nbuilds: no\nsuites: {a: b}\npriority: high\nmachines: 7\n')).toMatchObject({
      name: '3',
      builds: [],
      suites: [],
      priority: 50,
    });
    expect(formOf('priority: 500\nrepeat: 5\ntimeouts: {bootSeconds: 9, attemptSeconds: no}\n')).toMatchObject({
      priority: 500,
      repeat: 5,
      bootSeconds: 9,
      attemptSeconds: null,
    });
    for (const yaml of ['name: [', '- a\n', 'text', `name: ${'x'.repeat(200_001)}`]) {
      expect(readForm(yaml).ok).toBe(false);
    }
  });
});

describe('edits', () => {
  it('keep comments and everything else', () => {
    let yaml = setField(YAML, ['name'], 'yours');
    yaml = setList(yaml, ['suites'], ['p2p-functional', 'kunit']);
    yaml = setList(yaml, ['machines', 'names'], ['v-switch']);
    yaml = setField(yaml, ['timeouts', 'bootSeconds'], 90);
    for (const comment of ['# why this run exists', '# short', '# untouched', '# only this one', '# the fast ones']) {
      expect(yaml).toContain(comment);
    }
    expect(parse(yaml)).toEqual({
      ...(parse(YAML) as object),
      name: 'yours',
      suites: ['p2p-functional', 'kunit'],
      machines: { labels: { cpu: 'amd' }, names: ['v-switch'] },
      timeouts: { bootSeconds: 90 },
    });
    yaml = setField(setList(yaml, ['machines', 'names'], []), ['timeouts', 'bootSeconds'], undefined);
    expect(parse(yaml)).toMatchObject({ machines: { labels: { cpu: 'amd' } } });
    expect(yaml).not.toContain('timeouts');
  });
  it('make a run out of nothing', () => {
    const yaml = addBuild(addBuild(setField('', ['name'], 'new'), 'base', []), 'bundled', ['base']);
    expect(RunSpec.parse(parse(yaml)).builds).toEqual([
      { name: 'base', series: [] },
      { name: 'patched', series: ['bundled'] },
    ]);
    expect(yaml.startsWith('name: new\n')).toBe(true);
    expect(formOf(addBuild(yaml, 'base', ['base', 'patched'])).builds[2]?.name).toBe('base-2');
    expect(formOf(setSource(yaml, 0, 'bundled')).builds[0]?.source).toBe('bundled');
    expect(formOf(setField(yaml, ['builds', 0], undefined)).builds.map(({ name }) => name)).toEqual(['patched']);
  });
  it('make builds of a git tree, with the series that a build had on top, and others again', () => {
    const url = 'https://git.example.org/linux.git';
    const added = addBuild('name: mine # short\n', 'git', ['tree'], [url, 'https://git.example.org/next.git']);
    expect(added).toContain('name: mine # short');
    expect(RunSpec.parse(parse(added)).builds).toEqual([{ name: 'tree-2', git: { url, ref: 'master' }, series: [] }]);
    expect(formOf(added).builds).toEqual([{ name: 'tree-2', source: 'git', detail: '', git: { url, ref: 'master' } }]);
    const patched = setOnTop(setField(added, ['builds', 0, 'git', 'ref'], 'refs/pull/7/head'), 0, 'bundled');
    expect(RunSpec.parse(parse(patched)).builds[0]).toMatchObject({
      git: { url, ref: 'refs/pull/7/head' },
      series: ['bundled'],
    });
    expect(formOf(patched).builds[0]?.detail).toBe('the bundled series');
    expect(formOf(setOnTop(patched, 0, 'nothing')).builds[0]?.detail).toBe('');
    const moved = setSource(YAML, 1, 'git', [url]);
    expect(moved).toContain('series: [{mutant: m1}, bundled]');
    expect(formOf(moved).builds[1]).toMatchObject({
      source: 'git',
      git: { url },
      detail: 'mutant m1, then the bundled series',
    });
    expect(RunSpec.parse(parse(setSource(moved, 1, 'base'))).builds[1]).toEqual({ name: 'v2', series: [] });
    // Half a source, as it is while somebody types, and one of a farm that allows none.
    expect(formOf(setField(added, ['builds', 0, 'git', 'url'], '')).builds[0]?.git).toEqual({ url: '', ref: 'master' });
    expect(formOf(addBuild('', 'git', [])).builds[0]).toMatchObject({ source: 'git', git: { url: '' } });
  });
  it('leave alone what cannot be read', () => {
    expect(setField('name: [', ['name'], 'x')).toBe('name: [');
    expect(addBuild('- a\n', 'base', [])).toBe('- a\n');
  });
  it('are read back as they were made, whatever the text', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 });
    fc.assert(
      fc.property(
        text,
        fc.uniqueArray(fc.constantFrom('p2p-functional', 'p2p-perf', 'kunit', 'hmm-tests'), { minLength: 1 }),
        fc.integer({ min: 0, max: 100 }),
        (name, suites, priority) => {
          const yaml = setField(setList(setField(YAML, ['name'], name), ['suites'], suites), ['priority'], priority);
          const form = formOf(yaml);
          expect({ ...form, suites: form.suites.toSorted() }).toEqual({
            ...formOf(YAML),
            name,
            suites: suites.toSorted(),
            priority,
          });
          expect(yaml).toContain('# the fast ones');
        },
      ),
    );
  });
});
