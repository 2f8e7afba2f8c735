import { setTimeout as after } from 'node:timers/promises';

/** A condition did not come true in time; `what` says which. */
export class DeadlinePassed extends Error {
  constructor(
    readonly what: string,
    readonly timeoutMs: number,
  ) {
    super(`${what} did not happen within ${formatSeconds(timeoutMs)}`);
    this.name = 'DeadlinePassed';
  }
}

/** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await after(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/**
 * Asks `probe` until it gives a value, at least once, every `everyMs`. Rejects with DeadlinePassed
 * after `timeoutMs`, or with the signal's reason.
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  options: { everyMs: number; timeoutMs: number; signal?: AbortSignal },
): Promise<T> {
  const end = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const value = await probe();
    if (value !== undefined) return value;
    const left = end - performance.now();
    if (left <= 0) throw new DeadlinePassed(what, options.timeoutMs);
    await pause(Math.min(options.everyMs, left), options.signal);
  }
}

/** `promise`, given up with DeadlinePassed after `timeoutMs`; what it awaits goes on by itself. */
export async function within<T>(what: string, timeoutMs: number, promise: Promise<T>): Promise<T> {
  const over = new AbortController();
  try {
    return await Promise.race([
      promise,
      after(timeoutMs, undefined, { signal: over.signal }).then((): never => {
        throw new DeadlinePassed(what, timeoutMs);
      }),
    ]);
  } finally {
    over.abort();
  }
}

/** Milliseconds as people read them: `850 ms`, `1.2 s`, `95 s`. */
export function formatSeconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 20_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

/** Bytes as people read them: `812 B`, `3.9 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
