import { chmodSync, chownSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Document, isMap, isSeq, parseDocument } from 'yaml';
import { ConfigError } from '../config/agent-config.js';

/**
 * Appends a machine to the file that has the machines: the config's own list, or its machinesFile. Comments and the
 * rest stay as they are. Throws ConfigError when the file has another shape.
 * @returns the file that was written
 */
export function appendMachine(configFile: string, entry: Record<string, unknown>): string {
  const path = resolve(configFile);
  const config = parseDocument(readFileSync(path, 'utf8'));
  const elsewhere = config.get('machinesFile');
  const inline = config.get('machines');
  if (typeof elsewhere === 'string' && inline === undefined) {
    const file = resolve(dirname(path), elsewhere);
    const document = parseDocument(readFileSync(file, 'utf8'));
    // A list of machines alone, or one beside their BMCs.
    return write(file, document, isMap(document.contents) ? ['machines'] : [], entry);
  }
  return write(path, config, ['machines'], entry);
}

function write(
  file: string,
  document: Document.Parsed | Document,
  at: string[],
  entry: Record<string, unknown>,
): string {
  const list = at.length === 0 ? document.contents : document.getIn(at, true);
  const isEmpty = list === undefined || list === null;
  if (!isEmpty && !isSeq(list) && !(isMap(list) && list.items.length === 0)) {
    throw new ConfigError(file, [
      { path: at.join('.'), message: 'is no list of machines', remedy: 'write a list there' },
    ]);
  }
  if (isSeq(list)) document.addIn(at, document.createNode(entry));
  else if (at.length > 0) document.setIn(at, document.createNode([entry]));
  else document.contents = document.createNode([entry]);
  // A list that was empty stands as `[]` on one line.
  const now = at.length === 0 ? document.contents : document.getIn(at, true);
  if (isSeq(now) && now.items.length === 1) now.flow = false;
  replaceKeepingOwner(file, document.toString({ lineWidth: 0 }));
  return file;
}

/** The agent's own account goes on reading it, and nobody else begins to. */
function replaceKeepingOwner(file: string, text: string): void {
  const { mode, uid, gid } = statSync(file);
  const next = `${file}.new`;
  writeFileSync(next, text, { mode: 0o600, flush: true });
  chownSync(next, uid, gid);
  chmodSync(next, mode & 0o7777);
  renameSync(next, file);
}
