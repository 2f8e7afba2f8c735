import { BuildSpec, MachineSelection, problemItems, RunSpec, Timeouts, type ProblemItem } from '@peerlab/contracts';
import { isMap, isNode, isPair, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { nearestName } from './nearest-name.js';

export type Submitted = { ok: true; spec: RunSpec; locate: Locator } | { ok: false; problems: ProblemItem[] };

/** Adds line and column to a problem by its path, where the text has that field. */
export type Locator = (item: ProblemItem) => ProblemItem;

/** Fields by the path they stand in; array indexes and names of suites are written `*`. */
const KNOWN_FIELDS: Record<string, readonly string[]> = {
  '': Object.keys(RunSpec.shape),
  'builds.*': Object.keys(BuildSpec.shape),
  'builds.*.machines': Object.keys(MachineSelection.shape),
  'builds.*.series.*': ['mutant', 'mbox', 'artifact'],
  machines: Object.keys(MachineSelection.shape),
  'suiteMachines.*': Object.keys(MachineSelection.shape),
  timeouts: Object.keys(Timeouts.shape),
};

/** More aliases than a person writes; stops a text that unfolds into gigabytes. */
const MAX_ALIASES = 100;

/** Reads a run from YAML as typed by a person; every problem has its line and column. Never throws. */
export function readSubmission(yaml: string): Submitted {
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const locate = locator(document, lines);
  if (document.errors.length > 0) {
    return {
      ok: false,
      problems: document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return { path: '', message: `not valid YAML: ${error.message}`, line, column: col };
      }),
    };
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    return { ok: false, problems: [{ path: '', message: error instanceof Error ? error.message : String(error) }] };
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    const message = 'expected fields such as "name: …" and "builds: …"';
    return { ok: false, problems: [locate({ path: '', message, remedy: 'start from one of the templates' })] };
  }
  const parsed = RunSpec.safeParse(value);
  if (parsed.success) return { ok: true, spec: parsed.data, locate };
  return { ok: false, problems: problemItems(parsed.error).map(suggestField).map(locate) };
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
