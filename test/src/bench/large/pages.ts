import { requestOf, ROUTES, type CallOf, type RouteName } from '@peerlab/contracts';
import { median, percentile, timeMs } from '../measure.js';
import type { LargeFarm, Landmarks } from './seed.js';

/** One request as a browser makes it, again and again. */
export interface PageTime {
  page: string;
  /** The first request after the database was filled: nothing is cached. */
  firstMs: number;
  p50Ms: number;
  p95Ms: number;
  bytes: number;
  /** p50 against that of the floor: a request that asks the database for nothing but whether it is there. */
  ratio: number;
}

const READS = 20;

/** Server time of what each page of the UI asks for, beside the health request of the same controller. */
export async function measurePages(url: string, size: LargeFarm, at: Landmarks): Promise<PageTime[]> {
  const floorMs = await times(url, request('health', {}));
  const floor = median(floorMs.all);
  const half = Math.floor(size.logLines / 2);
  const attempt = { params: { attempt: at.logAttemptId } };
  const kernels = ROUTES.getBuildGrid.response.parse(await answerOf(url, request('getBuildGrid', {})));
  const combination = kernels.combination?.hash ?? '';
  const pages: [string, string][] = [
    ['health (the floor)', request('health', {})],
    [`grid, newest of ${size.combinations} × ${size.tests}`, request('getGrid', { query: { cells: 'none' } })],
    ['grid of a run', request('getGrid', { query: { run: at.runId, cells: 'none' } })],
    ['grid by kernel build, one combination', request('getBuildGrid', {})],
    ['grid by kernel build, all combinations', request('getBuildGrid', { query: { combination: 'all' } })],
    [
      'the page of older kernels',
      request('getBuildGrid', { query: { combination, before: kernels.older.before ?? undefined } }),
    ],
    ['what its kernels measured', request('getKernelMetrics', { query: { combination } })],
    ['flakiness of all tests', request('getFlakiness', {})],
    [
      'a cell of the grid',
      request('getResult', { params: { attempt: at.attemptId }, query: { suite: at.suite, test: at.test } }),
    ],
    ['runs', request('listRuns', {})],
    ['a run', request('getRun', { params: { run: at.runId } })],
    [`an attempt of ${size.tests} results`, request('getAttempt', { params: { attempt: at.attemptId } })],
    ['log, 1000 lines in the middle', request('getLog', { ...attempt, query: { stream: 'test', from: half } })],
    [
      'log, the last 1000 lines',
      request('getLog', { ...attempt, query: { stream: 'test', from: size.logLines - 1000 } }),
    ],
    [`fleet of ${size.machines} machines`, request('getFleet', {})],
    ['a machine', request('getMachine', { params: { machine: at.machine } })],
    ['its attempts', request('listMachineAttempts', { params: { machine: at.machine } })],
    ['builds', request('listBuilds', {})],
    ['compare a run with another', request('getCompare', { query: { a: at.runId, b: at.otherRunId } })],
    [
      `compare ${size.combinations} × ${size.tests} with as many`,
      request('getCompare', { query: { a: at.wideRunIds[0], b: at.wideRunIds[1] } }),
    ],
    ['history of a test', request('getHistory', { query: { suite: at.suite, test: at.test } })],
    ['metrics', request('listMetrics', {})],
    ['trend of a metric', request('getTrend', { query: { suite: 'p2p-perf', metric: 'fault_map.1' } })],
  ];
  for (const path of [request('getBuildGrid', { query: { combination: 'all' } }), request('getFlakiness', {})]) {
    await untilPacked(url, path);
  }
  const measured: PageTime[] = [];
  for (const [page, path] of pages) {
    const { all, firstMs, bytes } = await times(url, path);
    measured.push({
      page,
      firstMs,
      p50Ms: median(all),
      p95Ms: percentile(all, 0.95),
      bytes,
      ratio: median(all) / floor,
    });
  }
  return measured;
}

function request<N extends RouteName>(name: N, call: CallOf<N>): string {
  return requestOf(name, call).path;
}

/** The controller packs verdicts in the background: resolves when no answer leaves an attempt out any more. */
async function untilPacked(url: string, path: string): Promise<void> {
  for (let pending = 1; pending > 0; ) {
    ({ pending } = (await answerOf(url, path)) as { pending: number });
  }
}

async function answerOf(url: string, path: string): Promise<unknown> {
  const response = await fetch(url + path);
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`);
  return JSON.parse(text);
}

async function times(url: string, path: string): Promise<{ all: number[]; firstMs: number; bytes: number }> {
  let bytes = 0;
  const read = async (): Promise<void> => {
    const response = await fetch(url + path);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`);
    bytes = text.length;
  };
  const firstMs = await timeMs(read);
  const all: number[] = [];
  for (let index = 0; index < READS; index += 1) all.push(await timeMs(read));
  return { all, firstMs, bytes };
}
