import { MBOX_MAX } from '@peerlab/contracts';
import { isMap, isSeq, parseDocument, Scalar, type Document } from 'yaml';

export type MboxAddition = { ok: true; yaml: string; build: string } | { ok: false; why: string };

/** Control characters besides tabs and line ends: a form feed between functions, an escape in a test. */
const CONTROL = /[\x01-\x08\x0b-\x1f\x7f\x85\u2028\u2029]/;

/** Turns a file name into a build name that the contract accepts. */
export function buildNameOf(fileName: string): string {
  const stem = fileName.replace(/\.(mbox|mbx|patch|eml|txt)$/i, '');
  const name = stem
    .replace(/[^a-zA-Z0-9._-]+/g, '-')
    .replace(/^[^a-zA-Z0-9]+/, '')
    .slice(0, 60);
  return name === '' ? 'series' : name;
}

/**
 * Adds a build made of a mailbox of patches to the YAML of a run. Comments and order of the text
 * stay. Refuses what is not a mailbox or patch and YAML that cannot be read.
 * @param onto the build that gets it on top of what it has; absent = a new one
 */
export function addMbox(yaml: string, fileName: string, mbox: string, onto?: number): MboxAddition {
  if (mbox.length > MBOX_MAX)
    return {
      ok: false,
      why: `${fileName} is longer than ${MBOX_MAX / 1024 / 1024} MiB; upload it with peerlab submit --series`,
    };
  if (!/^(From |diff --git |--- )/m.test(mbox)) {
    return { ok: false, why: `${fileName} contains no patch; create it with git format-patch --stdout` };
  }
  if (/[\0\ufffd]/.test(mbox)) {
    const why = 'has bytes that a run file cannot hold; upload it with peerlab submit --series, which keeps them';
    return { ok: false, why: `${fileName} ${why}` };
  }
  const document = parseDocument(yaml.trim() === '' ? `name: ${JSON.stringify(buildNameOf(fileName))}\n` : yaml);
  if (document.errors.length > 0 || !isMap(document.contents)) {
    return {
      ok: false,
      why: 'the YAML does not parse; correct the marked line, then add the series',
    };
  }
  const builds = document.get('builds');
  if (builds !== undefined && builds !== null && !isSeq(builds)) {
    return { ok: false, why: 'the field builds is not a list; make it one, then add the series' };
  }
  const text = new Scalar(mbox);
  // A block has no escapes: what it cannot hold unchanged is written in quotes.
  text.type = CONTROL.test(mbox) ? Scalar.QUOTE_DOUBLE : Scalar.BLOCK_LITERAL;
  if (onto !== undefined) {
    const series = document.getIn(['builds', onto, 'series']);
    const one = document.createNode({ mbox: 'text' });
    one.setIn(['mbox'], text);
    if (isSeq(series)) {
      // A text of many lines has no place in brackets.
      series.flow = false;
      series.add(one);
    } else document.setIn(['builds', onto, 'series'], document.createNode([one]));
    return { ok: true, yaml: textOf(document), build: String(document.getIn(['builds', onto, 'name'])) };
  }
  const taken = new Set(isSeq(builds) ? builds.items.map((item) => (isMap(item) ? String(item.get('name')) : '')) : []);
  const wanted = buildNameOf(fileName);
  let build = wanted;
  for (let number = 2; taken.has(build); number += 1) build = `${wanted}-${number}`;
  const node = document.createNode({ name: build, series: [{ mbox: 'text' }] });
  node.setIn(['series', 0, 'mbox'], text);
  if (isSeq(builds)) {
    builds.flow = false;
    builds.add(node);
  } else {
    document.set('builds', document.createNode([node]));
  }
  return { ok: true, yaml: textOf(document), build };
}

const textOf = (document: Document): string => document.toString({ lineWidth: 0, doubleQuotedAsJSON: true });
