import { log } from '@peerlab/runtime';
import { vi } from 'vitest';

/** A line of the log: its fields, level and event. */
export type LogEntry = Record<string, unknown> & { level: string; event: string };

/** Collects what is logged from now on instead of printing it, until `vi.restoreAllMocks()`. */
export function collectLog(): LogEntry[] {
  const entries: LogEntry[] = [];
  for (const level of ['info', 'warn', 'error', 'fatal'] as const) {
    vi.spyOn(log, level).mockImplementation((...args: unknown[]) => {
      const [fields, event] = args as [Record<string, unknown>, string];
      entries.push({ ...fields, level, event });
    });
  }
  return entries;
}
