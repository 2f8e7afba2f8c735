import { GcovBytes, GcovError } from './gcov-bytes.js';

/** What the kernel counted for one object (.gcda). */
export interface GcovCounters {
  /** Of the compilation that counts. */
  stamp: number;
  /** By the function's ident. */
  functions: Map<number, { lineChecksum: number; flowChecksum: number; counts: bigint[] }>;
}

/** Largest file of counters, in bytes. */
export const COUNTERS_MAX_BYTES = 8 * 1024 * 1024;

const TAG_FUNCTION = 0x0100_0000;
const TAG_ARC_COUNTERS = 0x01a1_0000;
const COUNTER_BYTES = 8;
/** Counters of a file that are 0 and have no bytes of their own. */
const ZEROS_MAX = 1_000_000;

/** Reads a .gcda file. Time and memory grow with its length. Throws GcovError. */
export function readCounters(bytes: Buffer): GcovCounters {
  if (bytes.length > COUNTERS_MAX_BYTES) throw new GcovError(`it has more than ${COUNTERS_MAX_BYTES} bytes`);
  const reader = new GcovBytes(bytes);
  const { stamp } = reader.header('gcda');
  const functions: GcovCounters['functions'] = new Map();
  let counts: bigint[] | null = null;
  let zeros = 0;
  while (reader.left >= 4) {
    const tag = reader.word();
    if (tag === 0) break;
    // A user program's library writes counters that are all 0 as a negative length without content.
    const length = reader.word() | 0;
    const end = reader.at + Math.max(0, length);
    if (tag === TAG_FUNCTION) {
      counts = null;
      if (length > 0) {
        const ident = reader.word();
        counts = [];
        functions.set(ident, { lineChecksum: reader.word(), flowChecksum: reader.word(), counts });
      }
    } else if (tag === TAG_ARC_COUNTERS && counts !== null) {
      for (let left = -length; left >= COUNTER_BYTES; left -= COUNTER_BYTES) {
        zeros += 1;
        if (zeros > ZEROS_MAX) throw new GcovError(`it claims more than ${ZEROS_MAX} counters without any content`);
        counts.push(0n);
      }
      while (reader.at + COUNTER_BYTES <= end) counts.push(reader.counter());
      counts = null;
    }
    reader.skipTo(end);
  }
  return { stamp, functions };
}
