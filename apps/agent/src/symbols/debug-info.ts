import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { KernelCall, SourceFrame } from '@peerlab/contracts';
import type { ToolSandbox } from '../job/tool-sandbox.js';
import type { SandboxLimits } from '../sandbox/sandbox.js';
import { isSize, readBounded } from './system-map.js';

/** Debug information of a kernel of 1600 files: some seconds and some hundred MiB. */
const LOOK_UP_MS = 5 * 60_000;
const OUTPUT_MAX_BYTES = 16 * 1024 * 1024;
const LIMITS: SandboxLimits = {
  memoryBytes: 4 * 1024 ** 3,
  processes: 32,
  diskBytes: 64 * 1024 * 1024,
  files: 100,
  cpuSeconds: 240,
  fileBytes: OUTPUT_MAX_BYTES,
};
/** Functions of one address. */
const FRAMES_MAX = 16;

/** $1 the file. Symbols with the names that are asked for. */
const SYMBOLS = 'objdump -t "$1" | { grep -F -w -f /in/names || [ $? -eq 1 ]; } >/out/symbols';
/** $1 the file, $2 the section of the addresses, or nothing. */
const FRAMES = 'addr2line -a -f -i ${2:+-j "$2"} -e "$1" </in/addresses >/out/frames';

/** A call that is looked up, with the name it has for whoever asks. */
export interface WantedCall extends KernelCall {
  key: string;
}

/** Where a bundle keeps the debug information of the image or a module; null where it has none. */
function debugFile(bundle: string, module: string | null): string | null {
  const name = module === null ? 'vmlinux' : `${module}.ko`;
  return existsSync(join(bundle, 'debug', name)) ? name : null;
}

/** Whether a bundle has debug information of any of the calls. */
export const hasDebugInfo = (bundle: string, calls: readonly KernelCall[]): boolean =>
  calls.some(({ module }) => debugFile(bundle, module) !== null);

/**
 * Looks calls up in a bundle's debug information, with binutils in a sandbox: the files are of whoever submitted the
 * kernel. A call whose function has another size than the file says is of another kernel, and is left out.
 * @param folder an empty folder for files of this look-up
 */
export async function framesOf(
  bundle: string,
  calls: readonly WantedCall[],
  sandbox: ToolSandbox,
  folder: string,
): Promise<Map<string, SourceFrame[]>> {
  const found = new Map<string, SourceFrame[]>();
  for (const module of new Set(calls.map((call) => call.module))) {
    const name = debugFile(bundle, module);
    if (name === null) continue;
    const own = calls.filter((call) => call.module === module);
    const [input, output] = [join(folder, `in-${found.size}-${name}`), join(folder, `out-${found.size}-${name}`)];
    await mkdir(input, { mode: 0o755 });
    await sandbox.ownFolder(output);
    const look = async (script: string, file: string, lines: readonly string[], section = ''): Promise<string> => {
      const path = join(input, file);
      await writeFile(path, lines.map((line) => `${line}\n`).join(''));
      await chmod(path, 0o644);
      const end = await sandbox.run({
        script,
        arguments: [`/bundle/debug/${name}`, section],
        environment: {},
        readOnly: [
          { from: bundle, to: '/bundle' },
          { from: input, to: '/in' },
        ],
        writable: [{ from: output, to: '/out' }],
        network: false,
        limits: LIMITS,
        timeoutMs: LOOK_UP_MS,
        what: `looking into the debug information of ${name}`,
      });
      if (end.code !== 0) throw new Error(`binutils on ${name}: ${end.lastStderrLine ?? `status ${end.code}`}`);
      return readBounded(join(output, file === 'names' ? 'symbols' : 'frames'), OUTPUT_MAX_BYTES);
    };
    const symbols = parseSymbols(
      await look(SYMBOLS, 'names', [...new Set(own.map((call) => call.name))]),
      module !== null,
    );
    const placed = own.flatMap((call) => {
      const [at, ...others] = (symbols.get(call.name) ?? []).filter(({ bytes }) => isSize(bytes, call));
      if (at === undefined || others.length > 0) return [];
      // A return address may belong to the next line already.
      return [{ call, address: at.address + BigInt(call.isInstruction ? call.offset : Math.max(0, call.offset - 1)) }];
    });
    if (placed.length === 0) continue;
    const addresses = placed.map(({ address }) => `0x${address.toString(16)}`);
    const blocks = (await look(FRAMES, 'addresses', addresses, module === null ? '' : '.text')).split(
      /^(?=0x[0-9a-f]+$)/m,
    );
    for (const [at, { call }] of placed.entries()) {
      const frames = parseFrames(blocks[at] ?? '');
      if (frames.length > 0) found.set(call.key, frames);
    }
  }
  return found;
}

interface DebugSymbol {
  address: bigint;
  bytes: number;
}

/** Functions by name. Of a module only those of its `.text`. */
function parseSymbols(text: string, isModule: boolean): Map<string, DebugSymbol[]> {
  const symbols = new Map<string, DebugSymbol[]>();
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{16}) .{6}F (\S{1,100})\t([0-9a-f]{16}) (?:\.hidden )?(\S{1,200})$/.exec(line);
    if (match === null || (isModule && match[2] !== '.text')) continue;
    const [, address = '0', , bytes = '', name = ''] = match;
    const symbol = { address: BigInt(`0x${address}`), bytes: parseInt(bytes, 16) };
    const known = symbols.get(name) ?? [];
    if (known.some((other) => other.address === symbol.address)) continue;
    symbols.set(name, [...known, symbol]);
  }
  return symbols;
}

/** The answer of addr2line for one address: the address, then for each function its name and `file:line`. */
function parseFrames(block: string): SourceFrame[] {
  const lines = block.split('\n').slice(1);
  const frames: SourceFrame[] = [];
  for (let at = 0; at + 1 < lines.length && frames.length < FRAMES_MAX; at += 2) {
    const place = /^(.{1,4096}):(\d{1,9})(?: \(discriminator \d{1,9}\))?$/.exec(lines[at + 1] ?? '');
    if (place === null || place[1] === '??' || place[2] === '0') continue;
    frames.push({ name: lines[at] ?? '', file: inTree(place[1] ?? ''), line: Number(place[2]) });
  }
  return frames;
}

/** A file as the tree has it: builds call their tree `.`. */
const inTree = (file: string): string => posix.normalize(file).replace(/^\/+/, '');
