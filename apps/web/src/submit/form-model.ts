import { MachineSelection, RoleRelation, RunFile, RunSpec, SeriesSource } from '@peerlab/contracts';
import { isMap, isSeq, parseDocument, type Document } from 'yaml';
import { z } from 'zod';

/** Longer texts, such as those with patches, are too slow to parse at every keystroke. In characters. */
const FORM_MAX = 200_000;

/** The fields of the form. Each field is read by itself: an invalid one is empty and does not affect the others. */
export interface RunForm {
  name: string;
  builds: FormBuild[];
  /** Empty = what the farm runs by default. */
  suites: string[];
  names: string[];
  paths: string[];
  labels: Record<string, string>;
  /** Empty = each job has one machine. */
  roles: FormRole[];
  /** Labels that the machines of the roles share. */
  sameLabels: string[];
  priority: number;
  /** Every provider and client pair of a machine is tested, and not one of each combination. */
  allPairs: boolean;
  /** Boots of every build on every machine. */
  repeat: number;
  bootSeconds: number | null;
  attemptSeconds: number | null;
}

export interface FormBuild {
  name: string;
  /** `base` = unpatched; `git` = a tree of a repository; `other` = a source that only the YAML can express. */
  source: FormSource | 'other';
  /** Description of an `other` source; of a git source, of the series on top. */
  detail: string;
  /** Of a git source. */
  git: { url: string; ref: string } | null;
}

export type FormSource = 'base' | 'bundled' | 'git';

/** A machine of a job with several. */
export interface FormRole {
  name: string;
  machines: string[];
  labels: Record<string, string>;
  paths: string[];
  /** Empty = every suite of the run. */
  suites: string[];
  /** Empty = any port. */
  rdmaDevice: string;
  /** Empty = the kernel of the first role, and for that one every build. */
  builds: string[];
}

export type FormReading = { ok: true; form: RunForm } | { ok: false; why: string };

/** Place of a field in the YAML. */
export type FieldPath = readonly (string | number)[];

/** Reads YAML for the form. Never throws. */
export function readForm(yaml: string): FormReading {
  if (yaml.length > FORM_MAX) return { ok: false, why: 'The text is too long for the form; edit it as YAML.' };
  const document = parseDocument(yaml);
  if (document.errors.length > 0) return { ok: false, why: 'The YAML does not parse; correct it to use the form.' };
  const raw = z.record(z.string(), z.unknown()).safeParse(safeValue(document) ?? {});
  if (!raw.success) return { ok: false, why: 'The YAML has no fields; begin with one such as “name: my run”.' };
  const { name, builds, suites, machines, pairs, priority, repeat, timeouts, roles, relation } = raw.data;
  const selection = z.record(z.string(), z.unknown()).catch({}).parse(machines);
  const limits = z.record(z.string(), z.unknown()).catch({}).parse(timeouts);
  return {
    ok: true,
    form: {
      name: z.coerce
        .string()
        .catch('')
        .parse(name ?? ''),
      builds: z.array(z.unknown()).catch([]).parse(builds).map(readBuild),
      suites: RunFile.shape.suites
        .catch([])
        .parse(suites)
        .map((suite) => (typeof suite === 'string' ? suite : suite.name)),
      ...readSelection(selection),
      roles: z.array(z.unknown()).catch([]).parse(roles).map(readRole),
      sameLabels: RoleRelation.catch({ sameLabels: [] }).parse(relation).sameLabels,
      allPairs: pairs === 'all',
      // Values out of range are kept: someone who types 90 types a 9 first, and the check reports the range.
      priority: z.number().catch(DEFAULT_PRIORITY).parse(priority),
      repeat: z.number().catch(1).parse(repeat),
      bootSeconds: z.number().nullable().catch(null).parse(limits['bootSeconds']),
      attemptSeconds: z.number().nullable().catch(null).parse(limits['attemptSeconds']),
    },
  };
}

const DEFAULT_PRIORITY = RunSpec.shape.priority.parse(undefined);

/** Aliases can expand beyond the memory of the page; the controller reports that. */
function safeValue(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    return {};
  }
}

const Build = z.object({
  name: z.coerce.string().catch(''),
  series: z.array(z.unknown()).optional().catch(undefined),
  // Half a source, while it is typed, is one too.
  git: z
    .object({ url: z.string().catch(''), ref: z.coerce.string().catch('') })
    .optional()
    .catch(undefined),
  tarball: z.string().optional().catch(undefined),
  base: z.string().optional().catch(undefined),
});

function readBuild(value: unknown): FormBuild {
  const build = Build.safeParse(value);
  if (!build.success) return { name: '', source: 'other', detail: 'not a build yet', git: null };
  const { name, series, git = null, tarball, base } = build.data;
  const described = (source: FormBuild['source'], ...parts: string[]): FormBuild => {
    return { name, source, detail: parts.join(', then '), git };
  };
  const onTop = (series ?? []).map(sourceText);
  if (git !== null) return described('git', ...onTop);
  if (tarball !== undefined) return described('other', 'an uploaded tarball', ...onTop);
  if (base !== undefined) return described('other', `base ${base}`, ...onTop);
  if (series === undefined) return described('other', 'an uploaded bundle');
  if (series.length === 0) return described('base');
  if (series.length === 1 && series[0] === 'bundled') return described('bundled');
  return described('other', ...onTop);
}

const Role = z.object({
  name: z.coerce.string().catch(''),
  machines: z.record(z.string(), z.unknown()).catch({}),
  builds: z.array(z.string()).catch([]),
  suites: z.array(z.string()).catch([]),
  rdmaDevice: z.string().catch(''),
});

function readRole(value: unknown): FormRole {
  const role = Role.safeParse(value);
  const { machines: selection, ...rest } = role.success ? role.data : Role.parse({});
  const { names: machines, ...others } = readSelection(selection);
  return { ...rest, ...others, machines };
}

function readSelection(selection: Record<string, unknown>): Pick<RunForm, 'names' | 'paths' | 'labels'> {
  return {
    names: MachineSelection.shape.names.catch([]).parse(selection['names']) ?? [],
    paths: MachineSelection.shape.paths.catch([]).parse(selection['paths']) ?? [],
    labels: MachineSelection.shape.labels.catch({}).parse(selection['labels']) ?? {},
  };
}

function sourceText(value: unknown): string {
  const source = SeriesSource.safeParse(value);
  if (!source.success) return 'something unknown';
  if (source.data === 'bundled') return 'the bundled series';
  if ('mutant' in source.data) return `mutant ${source.data.mutant}`;
  if ('mbox' in source.data) return `an mbox of ${Math.ceil(source.data.mbox.length / 1024)} KiB`;
  return 'an uploaded mbox';
}

/** Sets one field, or removes it (undefined), and keeps everything else including comments. */
export function setField(yaml: string, path: FieldPath, value: string | number | undefined): string {
  return edit(yaml, (document) => {
    if (value !== undefined) document.setIn(path, value);
    else remove(document, path);
  });
}

/** Sets the values of a list; values that it already has keep their place and comments. */
export function setList(yaml: string, path: FieldPath, values: readonly string[]): string {
  return edit(yaml, (document) => {
    if (values.length === 0) {
      remove(document, path);
      return;
    }
    const held = document.getIn(path, true);
    if (!isSeq(held)) {
      document.setIn(path, document.createNode([...values], { flow: true }));
      return;
    }
    const have = held.items.map(nameOfItem);
    held.items = held.items.filter((_item, at) => values.includes(have[at] ?? ''));
    for (const value of values) if (!have.includes(value)) held.add(document.createNode(value));
  });
}

/** What an item of a list is called: the name of a map, the text of anything else. */
function nameOfItem(item: unknown): string {
  const held: unknown = isMap(item) ? item.get('name') : item;
  return String(z.object({ value: z.unknown() }).catch({ value: held }).parse(held).value);
}

/** Adds a build with a unique name. */
export function addBuild(
  yaml: string,
  source: FormSource,
  taken: readonly string[],
  repositories: readonly string[] = [],
): string {
  const stem = { base: 'base', bundled: 'patched', git: 'tree' }[source];
  let name = stem;
  for (let number = 2; taken.includes(name); number += 1) name = `${stem}-${number}`;
  return edit(yaml, (document) => {
    const git = source === 'git' ? { git: gitOf(document, repositories) } : {};
    const build = document.createNode({ name, ...git, series: seriesOf(document, source) });
    const builds = document.get('builds');
    if (isSeq(builds)) builds.add(build);
    else document.set('builds', document.createNode([build]));
  });
}

/** Adds a role; the first time two, because one alone is none. */
export function addRole(yaml: string, taken: readonly string[]): string {
  const fresh = ['client', 'server', ...Array.from({ length: taken.length + 1 }, (_, index) => `role-${index + 3}`)];
  const names = fresh.filter((name) => !taken.includes(name)).slice(0, taken.length === 0 ? 2 : 1);
  return edit(yaml, (document) => {
    const roles = document.get('roles');
    const nodes = names.map((name) => document.createNode({ name }));
    if (isSeq(roles)) for (const node of nodes) roles.add(node);
    else document.set('roles', document.createNode(nodes));
  });
}

/** Removes a role; of two both, and what relates them. */
export function removeRole(yaml: string, index: number, count: number): string {
  return edit(yaml, (document) => {
    if (count > 2) document.deleteIn(['roles', index]);
    else for (const field of ['roles', 'relation']) document.delete(field);
  });
}

/**
 * Gives a build another source. A tree of a repository keeps the series, which go on top of it.
 * @param repositories that builders fetch from: the first one is proposed
 */
export function setSource(
  yaml: string,
  index: number,
  source: FormSource,
  repositories: readonly string[] = [],
): string {
  return edit(yaml, (document) => {
    for (const field of ['bundle', 'git', 'tarball', 'base']) document.deleteIn(['builds', index, field]);
    if (source === 'git') document.setIn(['builds', index, 'git'], gitOf(document, repositories));
    if (source !== 'git' || !document.hasIn(['builds', index, 'series']))
      document.setIn(['builds', index, 'series'], seriesOf(document, source));
  });
}

/** Takes the series off a build, or puts the bundled one on top of the others. */
export function setOnTop(yaml: string, index: number, onTop: 'nothing' | 'bundled'): string {
  return edit(yaml, (document) => {
    const series = document.getIn(['builds', index, 'series']);
    if (onTop === 'bundled' && isSeq(series)) series.add('bundled');
    else document.setIn(['builds', index, 'series'], seriesOf(document, onTop === 'bundled' ? 'bundled' : 'base'));
  });
}

const seriesOf = (document: Document, source: FormSource) =>
  document.createNode(source === 'bundled' ? ['bundled'] : [], { flow: true });

const gitOf = (document: Document, [url = '']: readonly string[]) =>
  document.createNode({ url, ref: 'master' }, { flow: true });

/** Removes maps and lists that became empty, except the run itself. */
function remove(document: Document, path: FieldPath): void {
  if (document.hasIn(path)) document.deleteIn(path);
  const parent = path.slice(0, -1);
  const held = parent.length === 0 ? null : document.getIn(parent);
  if ((isMap(held) || isSeq(held)) && held.items.length === 0) remove(document, parent);
}

/** Returns the text unchanged when it cannot be parsed: an edit must not lose what the user types. */
function edit(yaml: string, change: (document: Document) => void): string {
  const document: Document = parseDocument(yaml.trim() === '' ? '{}' : yaml);
  if (document.errors.length > 0 || !isMap(document.contents)) return yaml;
  document.contents.flow = document.contents.flow === true && document.contents.items.length > 0;
  change(document);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
