import { writeSync } from 'node:fs';
import type { GapReason } from '@peerlab/contracts';
import type { Backpressure } from '../machine/protocols.js';

/** 2 GiB: an hour of a kernel that prints ten thousand lines a second while the controller is away. */
export const SPOOL_MAX_BYTES = 2 * 1024 ** 3;
/** A suite held back longer than this would be taken for one that hangs. */
export const SPOOL_HOLD_SECONDS = 10;

/** How full the spool may be, in shares of its limit. Events are always written: they are few, and they decide. */
const HOLD_SHARE = 7 / 8;
const BULK_SHARE = 15 / 16;

/** Largest segment file; deleted as a whole once acknowledged. */
const SEGMENT_MAX_BYTES = 4 * 1024 * 1024;
const SEGMENTS_AT_LEAST = 32;

/** The disk refused a write. Nothing of it is on the file. */
export class SpoolFault extends Error {
  readonly reason: GapReason;

  constructor(cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    super(`the spool cannot be written (${code}); make room in stateDir`, { cause });
    this.name = 'SpoolFault';
    this.reason = code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'disk-error';
  }
}

export interface SpoolDiskOptions {
  /** Bytes of all attempts together. */
  maxBytes?: number;
  /** How long producers are held back before their lines are left out. */
  holdMs?: number;
  /** Writes to a file as `fs.writeSync` does; tests make it fail. */
  write?: (fd: number, bytes: Uint8Array, offset: number) => number;
}

/**
 * The space that all attempts of an agent share. Above HOLD_SHARE of the limit producers are held back;
 * after `holdMs`, or when they cannot be held, their lines are left out until there is room again.
 */
export class SpoolDisk implements Backpressure {
  readonly maxBytes: number;
  readonly segmentBytes: number;
  readonly #holdMs: number;
  readonly #writeTo: (fd: number, bytes: Uint8Array, offset: number) => number;
  #used = 0;
  #holding: { until: Promise<void>; release: () => void; timer: NodeJS.Timeout } | null = null;
  #leaking = false;

  constructor(options: SpoolDiskOptions = {}) {
    this.maxBytes = options.maxBytes ?? SPOOL_MAX_BYTES;
    this.#holdMs = options.holdMs ?? SPOOL_HOLD_SECONDS * 1000;
    this.#writeTo = options.write ?? ((fd, bytes, offset) => writeSync(fd, bytes, offset));
    this.segmentBytes = Math.min(SEGMENT_MAX_BYTES, Math.ceil(this.maxBytes / SEGMENTS_AT_LEAST));
  }

  /** Bytes on the disk now. */
  get usedBytes(): number {
    return this.#used;
  }

  wait(): Promise<void> | null {
    if (this.#holding !== null) return this.#holding.until;
    if (this.#leaking || !this.#isFull()) return null;
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    const timer = setTimeout(() => {
      this.#leaking = true;
      this.#releaseProducers();
    }, this.#holdMs);
    this.#holding = { until, release, timer };
    return until;
  }

  /** Whether `bytes` of a bulk stream are to be written, and not left out. */
  takesBulk(bytes: number): boolean {
    const share = this.#leaking ? HOLD_SHARE : BULK_SHARE;
    return this.#used + bytes <= this.maxBytes * share;
  }

  /** The same for the few lines in which the agent says what it does. */
  takesNote(bytes: number): boolean {
    return this.#used + bytes <= this.maxBytes;
  }

  /** Counts bytes that were written, or found on the disk. */
  grow(bytes: number): void {
    this.#used += bytes;
  }

  /** Counts bytes that were deleted; producers go on when that made room. */
  shrink(bytes: number): void {
    this.#used -= bytes;
    if (this.#isFull()) return;
    this.#leaking = false;
    this.#releaseProducers();
  }

  /** Writes all of `bytes` at the end of a file; returns how many were written before an error, with the error. */
  append(fd: number, bytes: Uint8Array): { written: number; fault: SpoolFault | null } {
    let written = 0;
    try {
      while (written < bytes.length) written += this.#writeTo(fd, bytes, written);
      return { written, fault: null };
    } catch (error) {
      return { written, fault: new SpoolFault(error) };
    }
  }

  #isFull(): boolean {
    return this.#used >= this.maxBytes * HOLD_SHARE;
  }

  #releaseProducers(): void {
    if (this.#holding === null) return;
    clearTimeout(this.#holding.timer);
    this.#holding.release();
    this.#holding = null;
  }
}
