import {
  CALL_PLACES_MAX,
  type CrashReport,
  CrashReader,
  KERNEL_BANNER,
  kernelOffsetOf,
  LOG_CALLS_MAX,
  type ReportCall,
} from '@peerlab/contracts';
import { messageOf } from '../error-message.js';
import type { AttemptContext } from './attempt-context.js';

/** Longest look-up of one attempt, in milliseconds. */
const LOOK_UP_MS = 10 * 60_000;

/**
 * Tells where in the source the addresses are that the kernel under test reported. A kernel that reported nothing costs
 * nothing; trouble is only noted, as the reports say enough without it.
 */
export async function placeCalls(context: AttemptContext): Promise<void> {
  const { symbols, work, signal } = context;
  if (symbols === null || signal.aborted) return;
  const { reports, kernelOffset } = reportsOnConsole(context);
  const calls = new Map<string, ReportCall>();
  for (const { calls: own } of [...reports, ...context.kernelLog.reports]) {
    for (const call of own) if (calls.size < LOG_CALLS_MAX && !calls.has(call.call)) calls.set(call.call, call);
  }
  if (calls.size === 0) return;
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(LOOK_UP_MS)]);
    const bundle = await context.bundles.fetch(work.bundle.sha256, work.manifest, within);
    const note = (text: string): void => context.note(text);
    const places = await symbols.place(bundle, { calls: [...calls.values()], kernelOffset }, note, within);
    for (let at = 0; at < places.length; at += CALL_PLACES_MAX)
      context.emit({ type: 'call-places', places: places.slice(at, at + CALL_PLACES_MAX) });
    context.note(`symbols: ${places.length} of ${calls.size} addresses of reports are placed in the source`);
  } catch (error) {
    context.note(`symbols: not looked up: ${messageOf(error)}`);
  }
}

/** Reports of the kernel under test on the console, as far as it is kept, and where that kernel says it was loaded. */
function reportsOnConsole({ serial, work }: AttemptContext): { reports: CrashReport[]; kernelOffset: bigint } {
  const reports: CrashReport[] = [];
  const reader = new CrashReader((report) => {
    if (reports.length < LOG_CALLS_MAX) reports.push(report);
  });
  let kernelOffset = 0n;
  let isUnderTest = false;
  for (const { text, seq } of serial.since(0)) {
    const release = KERNEL_BANNER.exec(text)?.[1];
    if (release !== undefined) {
      reader.end();
      isUnderTest = release === work.manifest.release;
    }
    if (!isUnderTest) continue;
    reader.push(text, seq);
    kernelOffset = kernelOffsetOf(text) ?? kernelOffset;
  }
  reader.end();
  return { reports, kernelOffset };
}
