import {
  BuildSpec,
  echoed,
  GitSource,
  limitProblems,
  MachineSelection,
  problemItems,
  PROBLEMS_MAX,
  RoleRelation,
  RunFile,
  RunRole,
  SuiteDefinition,
  SuiteFile,
  SuiteNeeds,
  specOfFile,
  Timeouts,
  type ProblemItem,
  type RunSpec,
} from '@peerlab/contracts';
import { isMap, isNode, isPair, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { nearestName } from './nearest-name.js';
import { structureProblem } from './yaml-structure.js';

export type Submitted = { ok: true; spec: RunSpec; locate: Locator } | { ok: false; problems: ProblemItem[] };

/** Adds line and column to a problem by its path, where the text has that field. */
export type Locator = (item: ProblemItem) => ProblemItem;

/** Fields by the path they stand in; array indexes and names of suites are written `*`. */
const KNOWN_FIELDS: Record<string, readonly string[]> = {
  '': Object.keys(RunFile.shape),
  'builds.*': Object.keys(BuildSpec.shape),
  'roles.*': Object.keys(RunRole.shape),
  'roles.*.machines': Object.keys(MachineSelection.shape),
  relation: Object.keys(RoleRelation.shape),
  'builds.*.git': Object.keys(GitSource.shape),
  'builds.*.machines': Object.keys(MachineSelection.shape),
  'builds.*.series.*': ['mutant', 'mbox', 'artifact'],
  'suites.*': Object.keys(SuiteDefinition.shape),
  'suites.*.needs': Object.keys(SuiteNeeds.shape),
  'suites.*.files.*': Object.keys(SuiteFile.shape),
  machines: Object.keys(MachineSelection.shape),
  'suiteMachines.*': Object.keys(MachineSelection.shape),
  timeouts: Object.keys(Timeouts.shape),
};

/** More aliases than a person writes; stops a text that unfolds into gigabytes. */
const MAX_ALIASES = 100;

/**
 * Reads a run from YAML as typed by a person; each problem has its line and column, and no more than PROBLEMS_MAX
 * are named. Takes time in proportion to the text. Never throws.
 */
export function readSubmission(yaml: string): Submitted {
  try {
    return read(yaml);
  } catch (error) {
    return refused([{ path: '', message: `not valid YAML: ${error instanceof Error ? echoed(error.message) : ''}` }]);
  }
}

const refused = (problems: readonly ProblemItem[], left = 0): Submitted => ({
  ok: false,
  problems: limitProblems(problems, left),
});

function read(yaml: string): Submitted {
  const structure = structureProblem(yaml);
  if (structure !== null) return refused([structure]);
  const lines = new LineCounter();
  // The parser compares each key with all those before it; duplicateKeys does it once.
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const locate = locator(document, lines);
  const { errors } = document;
  if (errors.length > 0) {
    const shown = errors.slice(0, PROBLEMS_MAX).map(({ message, pos: [offset] }): ProblemItem => {
      const { line, col } = lines.linePos(offset);
      return { path: '', message: `not valid YAML: ${echoed(message)}`, line, column: col };
    });
    return refused(shown, errors.length - shown.length);
  }
  const duplicates = duplicateKeys(document, lines);
  if (duplicates.length > 0) return refused(duplicates);
  // Throws when aliases unfold into too much.
  const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    const message = 'expected fields such as "name: …" and "builds: …"';
    return refused([locate({ path: '', message, remedy: 'start from one of the templates' })]);
  }
  const parsed = RunFile.safeParse(value);
  if (parsed.success) return { ok: true, spec: specOfFile(parsed.data), locate };
  return { ok: false, problems: problemItems(parsed.error).map(suggestField).map(locate) };
}

/** Keys that stand in their map already. */
function duplicateKeys(document: Document, lines: LineCounter): ProblemItem[] {
  const problems: ProblemItem[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          const { line, col } = lines.linePos(key.range?.[0] ?? 0);
          const message = `not valid YAML: the key "${echoed(String(key.value))}" is there twice`;
          problems.push({ path: '', message, line, column: col });
        }
        seen.add(key.value);
      }
    },
  });
  return problems;
}

function suggestField(item: ProblemItem): ProblemItem {
  if (!item.message.startsWith('unknown field')) return item;
  const steps = item.path.split('.');
  const typed = steps.at(-1) ?? '';
  const parent = steps
    .slice(0, -1)
    .map((step, index, all) => (/^\d+$/.test(step) || all[index - 1] === 'suiteMachines' ? '*' : step))
    .join('.');
  const known = KNOWN_FIELDS[parent];
  if (known === undefined) return item;
  const near = nearestName(typed, known);
  const remedy = near === null ? `known fields are ${known.join(', ')}` : `did you mean "${near}"?`;
  return { ...item, remedy };
}

function locator(document: Document, lines: LineCounter): Locator {
  return (item) => {
    if (item.path === '' && item.message.startsWith('and ')) return item;
    const offset = offsetOf(document, item.path === '' ? [] : item.path.split('.'), item.message);
    if (offset === null) return item;
    const { line, col } = lines.linePos(offset);
    return { ...item, line, column: col };
  };
}

/** Start of the value at a path (of its key for unknown fields), or of the nearest thing around it. */
function offsetOf(document: Document, path: string[], message: string): number | null {
  if (message.startsWith('unknown field')) {
    const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1).map(step), true);
    if (isMap(parent)) {
      const pair = parent.items.find((entry) => isScalar(entry.key) && String(entry.key.value) === path.at(-1));
      if (isPair(pair) && isNode(pair.key)) return pair.key.range?.[0] ?? null;
    }
  }
  for (let depth = path.length; depth > 0; depth -= 1) {
    const node = document.getIn(path.slice(0, depth).map(step), true);
    if (isNode(node) && node.range != null) return node.range[0];
  }
  return isNode(document.contents) ? (document.contents.range?.[0] ?? null) : 0;
}

const step = (text: string): string | number => (/^\d+$/.test(text) ? Number(text) : text);
