import { GcovBytes, GcovError } from './gcov-bytes.js';

/** A way from one block of a function to another one. What is not on the tree has a counter, in the order of the file. */
export interface Arc {
  from: number;
  to: number;
  onTree: boolean;
}

/** A function of an object: its flow graph, and the lines of each block. */
export interface NotedFunction {
  ident: number;
  lineChecksum: number;
  flowChecksum: number;
  blocks: number;
  /** By block, as the counters are. */
  arcs: Arc[];
  /** `file` as the compiler was given it. */
  lines: { block: number; file: string; line: number }[];
}

/** What gcc noted of one object (.gcno). */
export interface GcovNotes {
  /** Of this very compilation: its counters carry the same one. */
  stamp: number;
  /** Folder that the compiler ran in. */
  folder: string;
  functions: NotedFunction[];
}

/** Largest file of notes, in bytes: the largest of the kernel has about one million. */
export const NOTES_MAX_BYTES = 16 * 1024 * 1024;
/** Blocks of all functions of an object: how many a function has is told without a byte for each. */
const BLOCKS_MAX = 200_000;

const TAG_FUNCTION = 0x0100_0000;
const TAG_BLOCKS = 0x0141_0000;
const TAG_ARCS = 0x0143_0000;
const TAG_LINES = 0x0145_0000;
const ON_TREE = 1;

/** Reads a .gcno file. Time and memory grow with its length. Throws GcovError. */
export function readNotes(bytes: Buffer): GcovNotes {
  if (bytes.length > NOTES_MAX_BYTES) throw new GcovError(`it has more than ${NOTES_MAX_BYTES} bytes`);
  const reader = new GcovBytes(bytes);
  const { stamp } = reader.header('gcno');
  const folder = reader.text();
  reader.word(); // whether it knows of blocks that were not executed
  const functions: NotedFunction[] = [];
  let blocks = 0;
  while (reader.left >= 4) {
    const tag = reader.word();
    if (tag === 0) break;
    const length = reader.word();
    const end = reader.at + length;
    const last = functions.at(-1);
    if (tag === TAG_FUNCTION) functions.push(readFunction(reader));
    else if (last !== undefined && tag === TAG_BLOCKS) {
      last.blocks = reader.word();
      blocks += last.blocks;
      if (blocks > BLOCKS_MAX) throw new GcovError(`it has more than ${BLOCKS_MAX} blocks`);
    } else if (last !== undefined && tag === TAG_ARCS) readArcs(reader, last, end);
    else if (last !== undefined && tag === TAG_LINES) readLines(reader, last, end);
    reader.skipTo(end);
  }
  for (const { arcs } of functions) arcs.sort((a, b) => a.from - b.from);
  return { stamp, folder, functions };
}

/** Its name, its file and where it begins and ends follow; the caller passes over them. */
function readFunction(reader: GcovBytes): NotedFunction {
  const [ident, lineChecksum, flowChecksum] = [reader.word(), reader.word(), reader.word()];
  return { ident, lineChecksum, flowChecksum, blocks: 0, arcs: [], lines: [] };
}

function requireBlock({ blocks }: NotedFunction, block: number): number {
  if (block >= blocks) throw new GcovError(`a function has no block ${block}`);
  return block;
}

function readArcs(reader: GcovBytes, noted: NotedFunction, end: number): void {
  const from = requireBlock(noted, reader.word());
  while (reader.at + 8 <= end) {
    const to = requireBlock(noted, reader.word());
    noted.arcs.push({ from, to, onTree: (reader.word() & ON_TREE) !== 0 });
  }
}

/** Line numbers; a 0 before a name says of which file those that follow are, or with an empty one that this is all. */
function readLines(reader: GcovBytes, noted: NotedFunction, end: number): void {
  const block = requireBlock(noted, reader.word());
  let file = '';
  while (reader.at < end) {
    const line = reader.word();
    if (line !== 0) {
      if (file !== '') noted.lines.push({ block, file, line });
      continue;
    }
    file = reader.text();
    if (file === '') return;
  }
}
