import {
  BuildIdPrefix,
  unitText,
  type BuildSummary,
  type CrashSummary,
  type Grid,
  type MachineSummary,
  type MetricView,
  type RunSummary,
  type TemplateView,
  type TestList,
} from '@peerlab/contracts';
import { KEY_MAP, PAGES, type KeyName } from '../keys.js';
import { escapePattern } from '../ui/pattern.js';
import type { Appearance } from '../ui/theme.js';
import { fuzzyMatch } from './fuzzy.js';

/** The action of an entry. */
export type Deed =
  | { type: 'go'; to: string }
  | { type: 'help' }
  | { type: 'filter' }
  | { type: 'appearance'; change: Partial<Appearance> };

export interface Entry {
  id: string;
  /** Its kind in one word: page, run, machine. */
  kind: string;
  name: string;
  /** Shown next to the name, and searched as well. */
  about: string;
  keys: readonly string[];
  deed: Deed;
}

/** The data that entries are made of. */
export interface Stock {
  runs: readonly RunSummary[];
  machines: readonly MachineSummary[];
  builds: readonly BuildSummary[];
  templates: readonly TemplateView[];
  grids: readonly Grid[];
  metrics: readonly MetricView[];
  crashes: readonly CrashSummary[];
  /** All tests of the farm; those of `grids` lead to the grid, the others to their history. */
  tests: TestList['tests'];
}

/** Most entries shown at once. */
export const ENTRIES_SHOWN = 40;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** All entries: pages and actions of the key map, then what the farm has: machines, runs, builds, tests, metrics. */
export function paletteEntries(stock: Stock): Entry[] {
  return [...pageEntries(), ...deedEntries(), ...stockEntries(stock)];
}

function pageEntries(): Entry[] {
  return PAGES.map(({ name, to, label }) => ({
    id: `page ${to}`,
    kind: 'page',
    name: label,
    about: to,
    keys: KEY_MAP[name].keys,
    deed: { type: 'go', to },
  }));
}

function deedEntries(): Entry[] {
  const ofKey = (name: KeyName, deed: Deed): Entry => ({
    id: `key ${name}`,
    kind: 'action',
    name: KEY_MAP[name].label,
    about: '',
    keys: KEY_MAP[name].keys,
    deed,
  });
  const theme = (name: string, change: Partial<Appearance>): Entry => ({
    id: `theme ${name}`,
    kind: 'theme',
    name,
    about: 'appearance',
    keys: [],
    deed: { type: 'appearance', change },
  });
  return [
    ofKey('help', { type: 'help' }),
    ofKey('filter', { type: 'filter' }),
    theme('dark theme', { theme: 'dark' }),
    theme('light theme', { theme: 'light' }),
    theme('theme of the system', { theme: 'system' }),
    theme('colours for red-green blindness', { safePalette: true }),
    theme('usual colours', { safePalette: false }),
  ];
}

function stockEntries({ runs, machines, builds, templates, grids, metrics, crashes, tests: all }: Stock): Entry[] {
  const tests = new Set(grids.flatMap(({ rows }) => rows.map(({ suite, test }) => `${suite}/${test}`)));
  const older = all.filter(({ suite, test }) => !tests.has(`${suite}/${test}`));
  const combinations = new Map(
    [
      ...machines.flatMap(({ name, paths }) => paths.map(({ combination }) => ({ combination, where: name }))),
      ...grids.flatMap(({ columns }) => columns.map(({ combination, machine }) => ({ combination, where: machine }))),
    ].map(({ combination, where }) => [combination.hash, { combination, where }]),
  );
  const entry = (kind: string, id: string, name: string, about: string, to: string): Entry => ({
    id: `${kind} ${id}`,
    kind,
    name,
    about,
    keys: [],
    deed: { type: 'go', to },
  });
  return [
    ...machines.map(({ name, description }) =>
      entry('machine', name, name, description, `/machines/${encodeURIComponent(name)}`),
    ),
    ...runs.map(({ id, name, verdict, state }) =>
      entry('run', id, name, `${verdict ?? state} ${id.slice(0, 8)}`, `/runs/${id}`),
    ),
    ...builds.map(({ id, name, runName, manifest }) =>
      entry(
        'build',
        id,
        name,
        [manifest?.release ?? 'not built', runName, ...(manifest === null ? [] : [manifest.buildId.slice(0, 12)])].join(
          ' · ',
        ),
        `/builds/${id}`,
      ),
    ),
    ...[...combinations.values()].map(({ combination: { hash, label }, where }) =>
      entry('combination', hash, label, where ?? '', `/?by=builds&combination=${hash}`),
    ),
    ...metrics.map(({ suite, name, unit }) =>
      entry(
        'metric',
        `${suite}/${name}`,
        name,
        `${suite} · ${unitText(unit)}`,
        `/trends?suite=${encodeURIComponent(suite)}&metric=${encodeURIComponent(name)}`,
      ),
    ),
    ...crashes.map(({ key, title, count }) => entry('crash', key, title, `seen ${count} ×`, `/crashes/${key}`)),
    ...templates.map(({ name, description }) =>
      entry('template', name, name, description, `/submit?template=${encodeURIComponent(name)}`),
    ),
    ...[...tests].map((test) =>
      entry('test', test, test, 'on the grid', `/?q=${encodeURIComponent(`^${escapePattern(test)}$`)}`),
    ),
    ...older.map(({ suite, test }) =>
      entry(
        'test',
        `${suite}/${test}`,
        `${suite}/${test}`,
        'history',
        `/history?suite=${encodeURIComponent(suite)}&test=${encodeURIComponent(test)}`,
      ),
    ),
  ];
}

/** The text as the start of a build-id, which the farm is asked for; null when it cannot be one. */
export function buildIdTyped(typed: string): string | null {
  return BuildIdPrefix.safeParse(typed.trim()).data ?? null;
}

/** Builds that the farm found by their build-id. */
export function buildIdEntries(builds: readonly BuildSummary[]): { entry: Entry; at: number[] }[] {
  return builds.map(({ id, name, runName, manifest }) => ({
    entry: {
      id: `build-id ${id}`,
      kind: 'build-id',
      name: manifest?.buildId ?? name,
      about: `${name} · ${runName}`,
      keys: [],
      deed: { type: 'go', to: `/builds/${id}` },
    },
    at: [],
  }));
}

/** Entries that match the typed text, best first; an id matches every kind of thing that may have it. */
export function matchingEntries(entries: readonly Entry[], typed: string): { entry: Entry; at: number[] }[] {
  const text = typed.trim();
  if (UUID.test(text)) {
    const id = text.toLowerCase();
    return (['run', 'attempt', 'build'] as const).map((kind) => ({
      entry: {
        id: `${kind} ${id}`,
        kind,
        name: `${kind} ${id}`,
        about: '',
        keys: [],
        deed: { type: 'go', to: `/${kind}s/${id}` },
      },
      at: [],
    }));
  }
  return entries
    .flatMap((entry, order) => {
      const match = fuzzyMatch(text, `${entry.name} ${entry.kind} ${entry.about}`);
      if (match === null) return [];
      return [{ entry, order, score: match.score, at: match.at.filter((index) => index < entry.name.length) }];
    })
    .toSorted((a, b) => (text === '' ? a.order - b.order : b.score - a.score || a.order - b.order));
}
