import { problemItems, RunFile, SuiteDefinition } from '@peerlab/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { EXAMPLES } from '../examples.js';
import { completions, type Completion } from './completions.js';
import { type Known } from './known.js';

const known: Known = {
  suites: ['p2p-functional', 'p2p-perf', 'kunit'].map((name) => ({ name })),
  defaultSuites: ['p2p-functional', 'p2p-perf'],
  machines: [{ name: 'v-switch', detail: 'idle' }, { name: '7th' }],
  labels: new Map([['lab', ['virtual', 'true']]]),
  configs: [{ name: 'peerlab' }, { name: 'debug' }],
  repositories: [{ name: 'https://git.example.org/linux.git' }],
  bases: [{ name: '7.2' }],
  bundles: [{ name: 'a'.repeat(64), detail: 'base' }],
  rdmaDevices: [{ name: 'mlx5_0' }],
};

/** What fits where `▮` stands in a text. */
function at(marked: string) {
  const cursor = marked.indexOf('▮');
  const text = marked.replace('▮', '');
  const found = completions(text, cursor, known);
  return { text, found, labels: found?.options.map(({ label }) => label) ?? [] };
}

/** The text with a completion taken, as the editor does it. */
function taken(text: string, found: NonNullable<ReturnType<typeof completions>>, option: Completion): string {
  const end = found.quote !== '' && text[found.to] === found.quote ? found.to + 1 : found.to;
  return text.slice(0, found.from - found.quote.length) + option.insert + text.slice(end);
}

function take(marked: string, label: string): string {
  const { text, found } = at(marked);
  const option = found?.options.find((each) => each.label === label);
  if (found === null || option === undefined) throw new Error(`${label} is not offered`);
  const caret = found.from - found.quote.length + option.caret;
  const next = taken(text, found, option);
  return `${next.slice(0, caret)}▮${next.slice(caret)}`;
}

/** A suite may be written out instead of named. */
const SUITE = Object.keys(SuiteDefinition.shape);
const ROOT = [
  'name',
  'builds',
  'suites',
  'suiteMachines',
  'machines',
  'pairs',
  'roles',
  'relation',
  'priority',
  'repeat',
  'timeouts',
];

describe('keys', () => {
  it('of the run, in its order, without those given before or after', () => {
    expect(at('▮').labels).toEqual(ROOT);
    expect(at('name: x\n▮\nbuilds: []\nsuites: [kunit]\n').labels).toEqual([
      'suiteMachines',
      'machines',
      'pairs',
      'roles',
      'relation',
      'priority',
      'repeat',
      'timeouts',
    ]);
    expect(at('name: x\nsui▮').labels).toEqual(ROOT.slice(1));
    expect(at('na▮: x\n').labels).toEqual(ROOT);
  });

  it('of a build, wherever its first line stands', () => {
    const rest = [
      'series',
      'git',
      'tarball',
      'base',
      'config',
      'configFile',
      'fragment',
      'suites',
      'machines',
      'kselftests',
      'mutants',
      'bundle',
    ];
    expect(at('builds:\n  - name: a\n    ▮').labels).toEqual(rest);
    expect(at('builds:\n- name: a\n  ▮').labels).toEqual(rest);
    expect(at('builds:\n  - ▮\n    name: a\n').labels).toEqual(rest);
    expect(at('builds:\n  - name: a\n  - s▮').labels).toEqual(['name', ...rest]);
    expect(at('builds: [{name: a, ▮}]').labels).toEqual(rest);
    expect(at('builds: [{name: a, ▮').labels).toEqual(rest);
    expect(at('{"builds": [{"name": "a", "se▮"}]}').labels).toEqual(rest);
    expect(at('builds:\n  ▮\n').labels).toEqual(['name', ...rest]);
  });

  it('of maps within, also when what follows is given', () => {
    expect(at('timeouts:\n  ▮\n  bootSeconds: 20\n').labels).toEqual(['attemptSeconds']);
    expect(at('machines: {paths: [BUS_ADDR], ▮}').labels).toEqual(['names', 'labels', 'combinations', 'each']);
    expect(at('suites: [kunit]\nsuiteMachines:\n  ▮').labels).toEqual(['kunit']);
    expect(at('suiteMachines:\n  kunit:\n    na▮').labels).toEqual(['names', 'labels', 'paths', 'combinations']);
    expect(at('machines:\n  labels:\n    ▮').labels).toEqual(['lab']);
  });

  it('with what the schema says of them', () => {
    const { found } = at('timeouts:\n  ▮');
    expect(found?.options[0]).toMatchObject({
      detail: '10 to 3600',
      about: expect.stringContaining('reboot') as unknown,
    });
    for (const place of ['▮', 'builds:\n  - ▮', 'machines:\n  ▮', 'timeouts:\n  ▮', 'builds: [{series: [{▮}]}]']) {
      expect(at(place).found?.options.length).toBeGreaterThan(0);
      expect(at(place).found?.options.filter(({ about }) => about === undefined)).toEqual([]);
    }
  });
});

describe('values', () => {
  it('are the choices of the schema and the names the farm knows', () => {
    expect(at('machines:\n  paths: [▮]').labels).toEqual(['BUS_ADDR', 'THRU_HOST_BRIDGE', 'NOT_SUPPORTED']);
    expect(at('machines:\n  names: [v▮').labels).toEqual(['v-switch', '7th']);
    expect(at('machines: {labels: {lab: ▮}}').labels).toEqual(['virtual', 'true']);
    expect(at('builds:\n  - config: ▮').labels).toEqual(['peerlab', 'debug']);
    expect(at('builds:\n  - bundle: ▮').labels).toEqual(['a'.repeat(64)]);
    expect(at('builds:\n  - series: [b▮]').labels).toEqual(['bundled', 'mutant', 'mbox', 'artifact']);
  });

  it('are not those in the list already', () => {
    expect(at('suites:\n  - kunit\n  - ▮\n  - p2p-perf\n').labels).toEqual(['p2p-functional', ...SUITE]);
    expect(at('suites: [kunit, ▮, p2p-perf]').labels).toEqual(['p2p-functional', ...SUITE]);
  });

  it('of roles and what relates them are those of the run and of the farm', () => {
    const builds = 'builds:\n  - name: base\n    series: []\n  - {name: "new"}\n';
    expect(at(`${builds}roles:\n  - name: server\n    builds: [▮]\n`).labels).toEqual(['base', 'new']);
    expect(at(`${builds}roles:\n  - name: server\n    builds: [base, ▮]\n`).labels).toEqual(['new']);
    expect(at('suites: [kunit]\nroles: [{suites: [▮]}]').labels).toEqual(['kunit']);
    expect(at('roles:\n  - machines: {names: [▮]}').labels).toEqual(['v-switch', '7th']);
    expect(at('roles:\n  - rdmaDevice: ▮').labels).toEqual(['mlx5_0']);
    expect(at('relation:\n  sameLabels: [▮]').labels).toEqual(['lab']);
  });

  it('of a build are the suites of its run', () => {
    expect(at('builds:\n  - suites: [▮]\nsuites: [kunit]\n').labels).toEqual(['kunit']);
    expect(at('builds:\n  - suites: [▮]\n').labels).toEqual(['p2p-functional', 'p2p-perf']);
  });
});

it.each([
  '# na▮',
  'name: so▮',
  'name: x\n  ▮',
  'builds:\n  - name: a\n ▮',
  'builds:\n  - name: a\n   ▮',
  'builds:\n  - series:\n      - mbox: |\n          na▮',
  'suites:▮',
  'x: {▮}',
  '"a ▮',
])('says nothing where nothing fits: %j', (marked) => {
  expect(at(marked).labels).toEqual([]);
});

it('goes on after a list that is not closed yet', () => {
  expect(at('suites: [kunit\nmachines:\n  names: [▮').labels).toEqual(['v-switch', '7th']);
  expect(at('suites: [kun▮\nname: x\n').labels).toEqual(['p2p-functional', 'p2p-perf', 'kunit', ...SUITE]);
});

describe('taking one', () => {
  it('writes the beginning of what belongs there', () => {
    expect(take('▮', 'name')).toBe('name: ▮');
    expect(take('bu▮', 'builds')).toBe('builds:\n  - ▮');
    expect(take('builds:\n  - ▮', 'series')).toBe('builds:\n  - series: [▮]');
    expect(take('builds:\n  - machines:\n      ▮', 'names')).toBe('builds:\n  - machines:\n      names: [▮]');
    expect(take('builds:\n  - name: a\n    ma▮', 'machines')).toBe('builds:\n  - name: a\n    machines:\n      ▮');
    expect(take('builds:\n  ▮', 'name')).toBe('builds:\n  - name: ▮');
    expect(take('suites:\n  ▮', 'kunit')).toBe('suites:\n  - kunit▮');
    expect(take('suites: ▮', 'kunit')).toBe('suites: [kunit▮]');
    expect(take('builds: [{series: [▮]}]', 'mutant')).toBe('builds: [{series: [{mutant: ▮}]}]');
    expect(take('ti▮meouts: {}', 'timeouts')).toBe('timeouts▮: {}');
  });
  it('quotes what YAML would read as something else', () => {
    expect(take('machines: {labels: {lab: ▮}}', 'true')).toBe('machines: {labels: {lab: "true"▮}}');
    expect(take('machines: {names: ["7▮"]}', '7th')).toBe('machines: {names: ["7th"▮]}');
  });
});

/** Texts to stand in: the examples, more that is allowed, JSON. */
const TEXTS = [
  ...EXAMPLES.map(({ yaml }) => yaml),
  `# all of it
name: "all of it"
builds:
- name: a
  series:
    - bundled
    - mutant: hang-at-boot
    - mbox: |
        From 1
        name: no key
    - {artifact: ${'b'.repeat(64)}}
  suites: [kunit]
  machines: {names: [v-switch], labels: {lab: virtual}}
- {name: b, bundle: ${'a'.repeat(64)}, config: debug}
suites: [
  kunit, # with a remark
  p2p-perf,
]
suiteMachines:
  kunit:
    paths: [BUS_ADDR]
machines:
  labels:
    lab: 'virtual'
priority: 10
timeouts: {bootSeconds: 20}
`,
  JSON.stringify(
    { name: 'x', builds: [{ name: 'a', series: ['bundled'] }], machines: { names: ['v-switch'] } },
    null,
    2,
  ),
];

/** Problems that say a key or a chosen value does not belong where it stands; missing ones are no matter of it. */
function misplaced(yaml: string): string[] {
  const document = parseDocument(yaml);
  if (document.errors.length > 0) return [];
  const parsed = RunFile.safeParse(document.toJS());
  return parsed.success
    ? []
    : problemItems(parsed.error)
        .filter(({ message }) => /unknown field|has no suite/.test(message))
        .map(({ path, message }) => `${path}: ${message}`);
}

describe('at every place of every text', () => {
  it('never throws, whatever stands before and after', () => {
    const pieces = fc.constantFrom(
      ...Array.from('[]{}:,-#|>"\'&!\n'),
      '  ',
      ': ',
      '- ',
      'name',
      'builds',
      'suites',
      'x',
      '\uE000',
      '\t',
      '😀',
    );
    const text = fc.oneof(
      fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join('')),
      fc.constantFrom(...TEXTS).chain((whole) => fc.nat(whole.length).map((length) => whole.slice(0, length))),
    );
    fc.assert(
      fc.property(text, fc.double({ min: 0, max: 1, noNaN: true }), (whole, share) => {
        const cursor = Math.floor(share * whole.length);
        const found = completions(whole, cursor, known);
        if (found === null) return;
        expect(found.from).toBeLessThanOrEqual(cursor);
        expect(found.to).toBeGreaterThanOrEqual(cursor);
        expect(found.options.every(({ insert, caret }) => caret >= 0 && caret <= insert.length)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('offers only what the schema accepts there', () => {
    let tried = 0;
    for (const text of TEXTS) {
      expect(misplaced(text)).toEqual([]);
      for (let cursor = 0; cursor <= text.length; cursor += 1) {
        // In the whole text and in what was written up to the cursor.
        for (const whole of [text, text.slice(0, cursor)]) {
          const found = completions(whole, cursor, known);
          for (const option of found?.options ?? []) {
            if (found === null) continue;
            const next = taken(whole, found, option);
            const place = `${JSON.stringify(whole.slice(0, cursor))} + ${option.insert}`;
            expect(
              misplaced(next).filter((problem) => problem.includes(`"${option.label}"`)),
              place,
            ).toEqual([]);
            tried += parseDocument(next).errors.length === 0 ? 1 : 0;
          }
        }
      }
    }
    expect(tried).toBeGreaterThan(1000);
  });

  it('offers every key of a run that reads well where it stands', () => {
    for (const text of TEXTS.slice(0, EXAMPLES.length)) {
      for (const [, before = '', key = ''] of text.matchAll(/(^[ \t]*(?:- )?)([a-zA-Z]+)(?=:)/gm)) {
        const start = text.indexOf(`${before}${key}:`) + before.length;
        const without = text.slice(0, start) + text.slice(start + key.length);
        const labels = completions(without.replace(/^(\s*(?:- )?):.*/m, '$1'), start, known)?.options.map(
          ({ label }) => label,
        );
        expect(labels, `${key} in ${without}`).toContain(key);
      }
    }
  });
});
