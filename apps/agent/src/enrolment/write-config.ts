import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Document, isMap, isSeq, parseDocument } from 'yaml';
import { ConfigError } from '../config/agent-config.js';

/**
 * Appends a machine to the file that has the machines: the config's own list, or its machinesFile. Comments and the
 * rest stay as they are. Throws ConfigError when the file has another shape.
 * @returns the file that was written
 */
export function appendMachine(configFile: string, entry: Record<string, unknown>): string {
  const { file, config } = placeOfMachines(configFile);
  if (file !== resolve(configFile)) {
    const document = parseDocument(readFileSync(file, 'utf8'));
    // A list of machines alone, or one beside their BMCs.
    return write(file, document, isMap(document.contents) ? ['machines'] : [], entry);
  }
  return write(file, config, ['machines'], entry);
}

/** @throws ConfigError when this account could not append a machine */
export function refuseReadOnly(configFile: string): void {
  const { file } = placeOfMachines(configFile);
  try {
    // It is replaced as a whole, and keeps its owner.
    accessSync(dirname(file), constants.W_OK);
    const own = process.geteuid?.();
    const { uid } = statSync(file);
    if (own !== 0 && uid !== own)
      throw new Error(`it belongs to account ${uid}, and this runs as account ${own ?? 'unknown'}`);
  } catch (error) {
    const remedy = `let this account own ${file} and write to its folder`;
    throw new ConfigError(file, [
      { path: 'machines', message: `cannot be added to: ${(error as Error).message}`, remedy },
    ]);
  }
}

/** The file that has the machines: the config, or its machinesFile. */
function placeOfMachines(configFile: string): { file: string; config: Document.Parsed } {
  const path = resolve(configFile);
  const config = parseDocument(readFileSync(path, 'utf8'));
  const elsewhere = config.get('machinesFile');
  const isElsewhere = typeof elsewhere === 'string' && config.get('machines') === undefined;
  return { file: isElsewhere ? resolve(dirname(path), elsewhere) : path, config };
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

/** Owner and mode stay: the agent's account can still read it, and no other account gains access. */
function replaceKeepingOwner(file: string, text: string): void {
  const { mode, uid, gid } = statSync(file);
  const next = `${file}.new`;
  writeFileSync(next, text, { mode: 0o600, flush: true });
  chownSync(next, uid, gid);
  chmodSync(next, mode & 0o7777);
  renameSync(next, file);
}
