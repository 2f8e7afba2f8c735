import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { KernelCall } from '@peerlab/contracts';
import { FileError, UsageError } from './exit-codes.js';
import { codeOf } from './token.js';

/** A call with the line of the log where it stands, from 1. */
export interface Call extends KernelCall {
  line: number;
}

/** One function at an address: the innermost inlined one first. */
export interface SourceFrame {
  name: string;
  file: string;
  line: number;
  /** The line itself, where the tree has it. */
  text: string | null;
}

/** Addresses that are looked up in one run. */
const CALLS_MAX = 10_000;
/** Largest output of binutils, in bytes: a debug kernel has some hundred thousand symbols. */
const OUTPUT_MAX = 256 * 1024 * 1024;

/**
 * Where in the source calls are, by the debug information of a vmlinux, with inlined functions. Calls of modules, and of
 * functions that it does not have, are left out. Throws a FileError where the file or binutils (`nm`, `addr2line`) fail,
 * and a UsageError where it has no debug information.
 * @param tree the source tree; its lines are quoted, and names of files are relative to it
 */
export async function findSource(
  vmlinux: string,
  tree: string | null,
  calls: readonly Call[],
): Promise<Map<Call, SourceFrame[]>> {
  await stat(vmlinux).catch((error: unknown) => {
    throw new FileError(`${vmlinux}: cannot be read (${codeOf(error)})`);
  });
  const wanted = calls.slice(0, CALLS_MAX);
  const symbols = await readSymbols(vmlinux, new Set(wanted.map(({ name }) => name)));
  const addresses = wanted.flatMap((call) => {
    const address = call.module === null ? addressOf(symbols.get(call.name), call) : null;
    return address === null ? [] : [{ call, address }];
  });
  if (addresses.length === 0) return new Map();
  const input = addresses.map(({ address }) => `0x${address.toString(16)}\n`).join('');
  const blocks = (await run('addr2line', ['-a', '-f', '-i', '-e', vmlinux], input)).split(/^(?=0x[0-9a-f]+$)/m);
  const source = new SourceTree(tree);
  const found = new Map<Call, SourceFrame[]>();
  for (const [at, { call }] of addresses.entries()) {
    const frames = await framesOf(blocks[at] ?? '', source);
    if (frames.length > 0) found.set(call, frames);
  }
  if (found.size === 0) {
    throw new UsageError(
      `${vmlinux} has no debug information: build it with CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y`,
    );
  }
  return found;
}

interface KernelSymbol {
  address: bigint;
  size: number;
}

async function readSymbols(vmlinux: string, names: ReadonlySet<string>): Promise<Map<string, KernelSymbol[]>> {
  const symbols = new Map<string, KernelSymbol[]>();
  for (const line of (await run('nm', ['-S', '--defined-only', vmlinux], '')).split('\n')) {
    const [address = '', size = '', kind = '', name = ''] = line.split(' ');
    if (!/^[tTwW]$/.test(kind) || !names.has(name)) continue;
    symbols.set(name, [...(symbols.get(name) ?? []), { address: BigInt(`0x${address}`), size: parseInt(size, 16) }]);
  }
  return symbols;
}

/** Several functions may have one name: that of the size that the kernel printed is meant. */
function addressOf(symbols: readonly KernelSymbol[] | undefined, call: Call): bigint | null {
  const symbol = symbols?.find(({ size }) => size === call.size) ?? (symbols?.length === 1 ? symbols[0] : undefined);
  if (symbol === undefined) return null;
  // A return address may belong to the next line already.
  return symbol.address + BigInt(call.isInstruction ? call.offset : Math.max(0, call.offset - 1));
}

/** The answer of addr2line for one address: the address, then for each function its name and `file:line`. */
async function framesOf(block: string, source: SourceTree): Promise<SourceFrame[]> {
  const lines = block.split('\n').slice(1);
  const frames: SourceFrame[] = [];
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const place = /^(.{1,4096}):(\d{1,9})(?: \(discriminator \d{1,9}\))?$/.exec(lines[at + 1] ?? '');
    if (place === null || place[1] === '??' || place[2] === '0') continue;
    frames.push({ name: lines[at] ?? '', ...(await source.at(place[1] ?? '', Number(place[2]))) });
  }
  return frames;
}

/** Files of a source tree, each read once. */
class SourceTree {
  readonly #lines = new Map<string, { name: string; lines: readonly string[] } | null>();
  readonly #folder: string | null;

  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /** @param file as the compiler was called, absolute or not */
  async at(file: string, line: number): Promise<Omit<SourceFrame, 'name'>> {
    const clean = file.replaceAll('/./', '/').replace(/^\.\//, '');
    if (this.#folder === null) return { file: clean, line, text: null };
    if (!this.#lines.has(clean)) this.#lines.set(clean, await this.#find(clean));
    const known = this.#lines.get(clean) ?? null;
    return { file: known?.name ?? clean, line, text: known?.lines[line - 1]?.trim() ?? null };
  }

  /** The longest end of the name that the tree has: it may stand elsewhere than where it was built. */
  async #find(file: string): Promise<{ name: string; lines: readonly string[] } | null> {
    const parts = file.split('/').filter((part) => part !== '' && part !== '..');
    for (let from = 0; from < parts.length; from += 1) {
      const name = parts.slice(from).join('/');
      const text = await readFile(join(this.#folder ?? '', name), 'utf8').catch(() => null);
      if (text !== null) return { name, lines: text.split('\n') };
    }
    return null;
  }
}

/** Standard output of a program of binutils. */
async function run(program: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const pieces: Buffer[] = [];
  let bytes = 0;
  let problem = '';
  child.stderr.on('data', (piece: Buffer) => (problem = (problem + piece.toString()).slice(-500)));
  child.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes <= OUTPUT_MAX) pieces.push(piece);
    else child.kill();
  });
  // A program that ends early says why by its exit status.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => reject(new FileError(`${program} of binutils cannot be run (${codeOf(error)})`)));
    child.on('close', resolve);
  });
  if (code !== 0) throw new FileError(`${program} failed: ${problem.trim() || `it was stopped after ${bytes} bytes`}`);
  return Buffer.concat(pieces).toString();
}
