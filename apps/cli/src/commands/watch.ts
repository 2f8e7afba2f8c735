import { ApiError, type HttpClient, LiveChannel } from '@peerlab/client';
import { exitCodeOf, type RunDetail } from '@peerlab/contracts';
import { WebSocket } from 'ws';
import type { Answer, Context } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { renderGrid } from '../render/grid.js';
import { changedLines, type PrintedLine } from '../render/run.js';

/** The run is read at this interval even if no change is announced, in milliseconds: announcements may be lost. */
const POLL_MS = 5_000;

/** Follows a run until it has ended. The answer is its grid; the exit code is that of its verdict. */
export async function followRun(context: Context, runId: string): Promise<Answer> {
  const { api, colour, json } = context;
  // Who stops reading before the end has heard no verdict.
  context.setExitCode(EXIT.noStatement);
  const run = await watchRun(api, runId, (line) => (json ? undefined : context.write(`${line}\n`)), { colour });
  const grid = await api.call('getGrid', { query: { run: runId } });
  return { data: { run, grid }, text: `\n${renderGrid(grid, colour)}`, exitCode: exitCodeOf(run.verdict) };
}

/**
 * Follows a run until it has ended, and prints every step once. While the controller does not answer it waits; it
 * rejects with an ApiError for an unknown run, and with the signal's reason when the signal ends it.
 */
export async function watchRun(
  client: HttpClient,
  runId: string,
  print: (line: string) => void,
  options: { colour: boolean; signal?: AbortSignal } = { colour: false },
): Promise<RunDetail> {
  const before = new Map<string, PrintedLine>();
  let wake: () => void = () => undefined;
  let isAway = false;
  const channel = new LiveChannel({
    url: client.url,
    token: client.token,
    WebSocket,
    since: null,
    onChanged: () => wake(),
  });
  channel.watch([`run:${runId}`]);
  const ticker = setInterval(() => wake(), POLL_MS);
  const aborted = (): void => wake();
  options.signal?.addEventListener('abort', aborted);
  try {
    for (;;) {
      const next = new Promise<void>((resolve) => (wake = resolve));
      options.signal?.throwIfAborted();
      try {
        const run = await client.call('getRun', { params: { run: runId } });
        if (isAway) print('the controller answers again');
        isAway = false;
        for (const line of changedLines(run, before, options.colour, Date.now())) print(line);
        if (run.state === 'ended') return run;
      } catch (error) {
        if (!(error instanceof ApiError && error.isTransient)) throw error;
        if (!isAway) print('the controller does not answer; waiting for it');
        isAway = true;
      }
      await next;
    }
  } finally {
    channel.close();
    clearInterval(ticker);
    options.signal?.removeEventListener('abort', aborted);
  }
}
