import type { RunDetail } from '@peerlab/contracts';
import { ApiError, type Client, Unreachable } from '../client.js';
import { watchTopics } from '../live.js';
import { changedLines } from '../render/run.js';

/**
 * Follows a run until it has ended, printing every step once. A controller that goes away and comes
 * back is waited for; an unknown run is an error.
 */
export async function watchRun(
  client: Client,
  runId: string,
  print: (line: string) => void,
  options: { colour: boolean; signal?: AbortSignal } = { colour: false },
): Promise<RunDetail> {
  const before = new Map<string, string>();
  let wake: () => void = () => undefined;
  let away = false;
  const watcher = watchTopics(client, [`run:${runId}`], () => wake());
  // The change notices are only hints, so the run is also read at this slow pace.
  const ticker = setInterval(() => wake(), 5000);
  const aborted = (): void => wake();
  options.signal?.addEventListener('abort', aborted);
  try {
    for (;;) {
      const next = new Promise<void>((resolve) => (wake = resolve));
      options.signal?.throwIfAborted();
      try {
        const run = await client.call('getRun', { params: { run: runId } });
        if (away) print('the controller is back');
        away = false;
        for (const line of changedLines(run, before, options.colour, Date.now())) print(line);
        if (run.state === 'ended') return run;
      } catch (error) {
        const passing = error instanceof Unreachable || (error instanceof ApiError && error.problem.status >= 500);
        if (!passing) throw error;
        if (!away) print('the controller does not answer; waiting for it');
        away = true;
      }
      await next;
    }
  } finally {
    watcher.close();
    clearInterval(ticker);
    options.signal?.removeEventListener('abort', aborted);
  }
}
