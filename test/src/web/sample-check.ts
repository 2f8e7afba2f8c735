import {
  defaultSuites,
  problemItems,
  RunFile,
  type RunSpec,
  specOfFile,
  type CheckedSeries,
  type ProblemItem,
} from '@peerlab/contracts';
import { SAMPLE_CATALOGUE } from '@peerlab/controller/testing';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';

/** Reads a run from YAML; problems carry the line and column they stand at, both from 1. */
export function readSpec(yaml: string): { spec: RunSpec | null; problems: ProblemItem[] } {
  const counter = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: counter });
  const place = (offset: number): { line: number; column: number } => {
    const { line, col } = counter.linePos(offset);
    return { line, column: col };
  };
  if (document.errors.length > 0) {
    return {
      spec: null,
      problems: document.errors.map(({ message, pos }) => ({
        path: '',
        message: message.split('\n')[0] ?? '',
        ...place(pos[0]),
      })),
    };
  }
  const parsed = RunFile.safeParse(document.toJS());
  if (parsed.success) {
    const spec = specOfFile(parsed.data);
    const suites = spec.suites.length > 0 ? spec.suites : defaultSuites(SAMPLE_CATALOGUE);
    return { spec: { ...spec, suites }, problems: [] };
  }
  return {
    spec: null,
    problems: problemItems(parsed.error).map((item) => ({ ...item, ...place(offsetOfPath(document, item.path)) })),
  };
}

function offsetOfPath(document: Document, path: string): number {
  const keys = path.split('.').filter((key) => key !== '');
  for (let length = keys.length; length > 0; length -= 1) {
    const node = document.getIn(
      keys.slice(0, length).map((key) => (/^\d+$/.test(key) ? Number(key) : key)),
      true,
    );
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

/** The mboxes of a run: each mail is a patch here. */
export function sampleSeries({ builds }: RunSpec): CheckedSeries[] {
  return builds.flatMap(({ name, series = [] }, buildIndex) =>
    series.flatMap((source, index) => {
      if (typeof source !== 'object' || !('mbox' in source)) return [];
      const subjects = [...source.mbox.matchAll(/^Subject: (.*)$/gm)].map(([, subject = '']) => subject);
      return [{ build: name, buildIndex, index, patches: subjects.length, subjects, leftOut: [], note: null }];
    }),
  );
}
