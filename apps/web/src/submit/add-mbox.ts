import { MBOX_MAX } from '@peerlab/contracts';
import { isMap, isSeq, parseDocument, Scalar } from 'yaml';

export type MboxAddition = { ok: true; yaml: string; build: string } | { ok: false; why: string };

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
 */
export function addMbox(yaml: string, fileName: string, mbox: string): MboxAddition {
  if (mbox.length > MBOX_MAX) return { ok: false, why: `${fileName} is longer than ${MBOX_MAX / 1024 / 1024} MiB` };
  if (!/^(From |diff --git |--- )/m.test(mbox)) {
    return { ok: false, why: `${fileName} contains no patch; create it with git format-patch --stdout` };
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
  const taken = new Set(isSeq(builds) ? builds.items.map((item) => (isMap(item) ? String(item.get('name')) : '')) : []);
  const wanted = buildNameOf(fileName);
  let build = wanted;
  for (let number = 2; taken.has(build); number += 1) build = `${wanted}-${number}`;
  const text = new Scalar(mbox);
  text.type = Scalar.BLOCK_LITERAL;
  const node = document.createNode({ name: build, series: [{ mbox: 'text' }] });
  node.setIn(['series', 0, 'mbox'], text);
  if (isSeq(builds)) {
    builds.flow = false;
    builds.add(node);
  } else {
    document.set('builds', document.createNode([node]));
  }
  return { ok: true, yaml: document.toString({ lineWidth: 0 }), build };
}
