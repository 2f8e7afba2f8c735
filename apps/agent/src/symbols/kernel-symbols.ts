import { join } from 'node:path';
import { type CallPlace, callOf, type ReportCall, type SourceFrame } from '@peerlab/contracts';
import { messageOf } from '../error-message.js';
import { removeScratch } from '../job/builder-cache.js';
import { makeScratchFolder, removeLeftFolders } from '../job/scratch-folder.js';
import { ToolSandbox } from '../job/tool-sandbox.js';
import { buildAccount } from '../sandbox/account.js';
import { whyNoSandbox } from '../sandbox/probe.js';
import { framesOf, hasDebugInfo, type WantedCall } from './debug-info.js';
import { filesOf, type MapSymbol, symbolsAt } from './system-map.js';

/** What is asked about the reports of one kernel. */
export interface ReportedCalls {
  calls: readonly ReportCall[];
  /** How far the kernel was moved from where it was linked to. */
  kernelOffset: bigint;
}

/** Finds out where in the source addresses of a kernel are, by what its bundle has. */
export class KernelSymbols {
  readonly #scratch: string;

  /** @param cacheDir of the agent */
  constructor(cacheDir: string) {
    this.#scratch = join(cacheDir, 'agent', 'symbols');
  }

  /**
   * With debug information file, line and inlined functions; else the file of a function, and for bare addresses the
   * function by System.map. What is not known is left out.
   * @param bundle its folder
   * @param note told what kept it from saying more
   */
  async place(
    bundle: string,
    { calls, kernelOffset }: ReportedCalls,
    note: (text: string) => void,
    signal: AbortSignal,
  ): Promise<CallPlace[]> {
    const bare = new Map(
      calls.flatMap(({ call }) => (/^[0-9a-f]{16}$/.test(call) ? [[call, BigInt(`0x${call}`) - kernelOffset]] : [])),
    );
    const symbols = await symbolsAt(bundle, [...bare.values()]);
    const wanted = calls.flatMap(({ call: key, isInstruction }): WantedCall[] => {
      const address = bare.get(key);
      if (address !== undefined) return ofSymbol(key, isInstruction, address, symbols.get(address));
      const call = callOf(key);
      return call === null ? [] : [{ ...call, key, isInstruction }];
    });
    const placed = await this.#byDebugInfo(bundle, wanted, note, signal);
    const files = await filesOf(bundle, wanted);
    return wanted.flatMap((call): CallPlace[] => {
      const { key, name, offset } = call;
      const frames = placed.get(key);
      if (frames !== undefined) return [{ call: key, frames }];
      const file = files.get(call) ?? null;
      const isBare = bare.has(key);
      // The report names the function itself.
      if (file === null && !isBare) return [];
      return [{ call: key, frames: [{ name: isBare ? `${name}+0x${offset.toString(16)}` : name, file, line: null }] }];
    });
  }

  async #byDebugInfo(
    bundle: string,
    calls: readonly WantedCall[],
    note: (text: string) => void,
    signal: AbortSignal,
  ): Promise<Map<string, SourceFrame[]>> {
    if (!hasDebugInfo(bundle, calls)) return new Map();
    const folder = await makeScratchFolder(this.#scratch);
    try {
      await removeLeftFolders(this.#scratch);
      const noSandbox = await whyNoSandbox(folder);
      if (noSandbox !== null) throw new Error(noSandbox);
      const handlers = { onProgress: () => undefined, onLine: () => undefined };
      return await framesOf(bundle, calls, new ToolSandbox(buildAccount(), folder, handlers, signal), folder);
    } catch (error) {
      signal.throwIfAborted();
      note(`symbols: the debug information is not read: ${messageOf(error)}`);
      return new Map();
    } finally {
      await removeScratch(folder);
    }
  }
}

function ofSymbol(key: string, isInstruction: boolean, address: bigint, symbol: MapSymbol | undefined): WantedCall[] {
  if (symbol === undefined) return [];
  const { name, size } = symbol;
  return [{ key, name, size, offset: Number(address - symbol.address), module: null, isInstruction }];
}
