import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { KernelCall } from '@peerlab/contracts';

/** Largest System.map, and largest list of sources when unpacked, in bytes: those of a distribution's kernel have 10 MB. */
const TEXT_MAX_BYTES = 64 * 1024 * 1024;
const SOURCES_PACKED_MAX_BYTES = 16 * 1024 * 1024;

/** A function of the kernel image. */
export interface MapSymbol {
  name: string;
  address: bigint;
  /** Up to the next symbol, in bytes. */
  size: number;
}

/** The function at an address by a bundle's System.map, for each address that has one. Throws where the file cannot be read. */
export async function symbolsAt(bundle: string, addresses: readonly bigint[]): Promise<Map<bigint, MapSymbol>> {
  const found = new Map<bigint, MapSymbol>();
  if (addresses.length === 0) return found;
  const text = await readBounded(join(bundle, 'System.map'), TEXT_MAX_BYTES);
  // Sorted, as nm writes it.
  const symbols: { name: string; address: bigint; isCode: boolean }[] = [];
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{16}) ([a-zA-Z]) (\S{1,200})$/.exec(line);
    if (match === null) continue;
    const [, address = '0', kind = '', name = ''] = match;
    symbols.push({ name, address: BigInt(`0x${address}`), isCode: /^[tTwW]$/.test(kind) });
  }
  for (const wanted of addresses) {
    let [low, high] = [0, symbols.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((symbols[middle]?.address ?? 0n) <= wanted) low = middle + 1;
      else high = middle;
    }
    const [symbol, next] = [symbols[low - 1], symbols[low]];
    // What lies behind the last symbol is no code of the image.
    if (symbol?.isCode !== true || next === undefined) continue;
    const { name, address } = symbol;
    found.set(wanted, { name, address, size: Number(next.address - address) });
  }
  return found;
}

/** Functions begin at multiples of 16 to 64 bytes. */
const ALIGNMENT_MAX = 64;
/** Behind the last function of a module the kernel counts up to the end of its pages. */
const PAGE = 4096;

/**
 * Whether a function of so many bytes is the one that a kernel prints a size of: it prints how far it is to the next one.
 * What does not fit is of another kernel, or another function of the name.
 */
export function isSize(bytes: number, { size: printed, module }: Pick<KernelCall, 'size' | 'module'>): boolean {
  const padding = printed - bytes;
  return padding >= 0 && padding < (module === null ? ALIGNMENT_MAX : PAGE);
}

/**
 * In which file of the tree functions are, by a bundle's list `sources.gz`; those that several files have are left out.
 * Empty for a bundle without the list.
 */
export async function filesOf<C extends KernelCall>(bundle: string, calls: readonly C[]): Promise<Map<C, string>> {
  const path = join(bundle, 'sources.gz');
  const size = await stat(path).then(
    (found) => found.size,
    () => null,
  );
  if (size === null) return new Map();
  if (size > SOURCES_PACKED_MAX_BYTES) throw new Error(`sources.gz has ${size} bytes`);
  const text = await promisify(gunzip)(await readFile(path), { maxOutputLength: TEXT_MAX_BYTES });
  const wanted = new Set(calls.map(({ name }) => name));
  const functions = new Map<string, { bytes: number; file: string }[]>();
  for (const line of text.toString('latin1').split('\n')) {
    const match = /^(\S{1,200}) (\d{1,9}) (\S{1,300})$/.exec(line);
    const [, name = '', bytes = '', file = ''] = match ?? [];
    if (!wanted.has(name)) continue;
    functions.set(name, [...(functions.get(name) ?? []), { bytes: Number(bytes), file }]);
  }
  const files = new Map<C, string>();
  for (const call of calls) {
    const fitting = (functions.get(call.name) ?? []).filter(({ bytes }) => isSize(bytes, call));
    const [file, ...others] = new Set(fitting.map((each) => each.file));
    if (file !== undefined && others.length === 0) files.set(call, file);
  }
  return files;
}

/** A text file; throws where it is larger than `maxBytes`. */
export async function readBounded(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > maxBytes) throw new Error(`${path} has ${size} bytes, ${maxBytes} are read at most`);
    return (await file.readFile()).toString('latin1');
  } finally {
    await file.close();
  }
}
