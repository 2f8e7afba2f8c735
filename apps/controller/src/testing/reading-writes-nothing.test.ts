import { AsyncLocalStorage } from 'node:async_hooks';
import { requestOf, ROUTES, type CallOf, type RouteName } from '@peerlab/contracts';
import { Client, Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { insertEvidence, type SampleEvidence } from './evidence.js';
import { STORY_METRICS_SUITE, STORY_SUITE, STORY_TESTS } from './evidence-story.js';
import { TestFarm } from './farm.js';
import { SAMPLE_RUN } from './samples.js';

type ReadRoute = { [N in RouteName]: (typeof ROUTES)[N]['method'] extends 'GET' ? N : never }[RouteName];

/** Statements that change rows or locks them, or that tell others that something changed. */
const WRITES =
  /\b(insert\s+into|delete\s+from|merge\s+into|truncate|nextval|pg_notify|notify|update\s+\S+\s+(\S+\s+)?set)\b|\bfor\s+(no\s+key\s+)?(update|share)\b/i;

/** The measurement of the storage is what these are asked for; it is kept for the other controllers. */
const MEASURING: ReadonlySet<RouteName> = new Set(['getRetention', 'planRetention']);
const MEASUREMENT = /^insert into storage\b/;
/** Authentication notes the use of a token, whatever the request is. */
const TOKEN_USE = /^update "token" set "last_used_at"/i;

/** What is refused or not found in this farm: it is looked up all the same. */
const STATUS: Partial<Record<ReadRoute, number>> = {
  getPatch: 404,
  getArtifact: 403,
  findBundle: 404,
  getBuildFile: 403,
  getBuildCoverage: 404,
  getBuildMutants: 404,
  getAttemptFile: 404,
  getCrash: 404,
  getCrashMail: 404,
  getTerminalOutput: 404,
};

/** The statements of the request in whose context they run: timers of the controller write at any time. */
const request = new AsyncLocalStorage<string[]>();

function textOf(query: unknown): string {
  if (typeof query === 'string') return query;
  return typeof query === 'object' && query !== null && 'text' in query ? String(query.text) : '';
}

describe('a GET request', () => {
  let farm: TestFarm;
  let calls: { [N in ReadRoute]: CallOf<N> };
  let agentToken: string;

  beforeAll(async () => {
    farm = await TestFarm.start();
    agentToken = await farm.token('agent', 'reader');
    const { manifest, sha256 } = await farm.bundle('kernel');
    await farm.agent({ m1: 'BUS_ADDR' });
    await farm.until('readiness', async () => (await farm.request('ready', {}, null)).status === 200);
    const waiting = await farm.call('submitRun', { body: { yaml: SAMPLE_RUN } });
    calls = callsOf(await insertEvidence(farm.sql, 3), manifest.key, sha256);
    const { jobViews } = await farm.call('getRun', { params: { run: waiting.id } });
    const params = { build: jobViews[0]?.buildId ?? '' };
    calls = { ...calls, getBuild: { params }, getSeries: { params }, getPatch: { params: { ...params, number: 1 } } };
    calls = { ...calls, getBuildFile: { params, query: { path: 'vmlinuz' } } };
    calls = { ...calls, getSourceLinks: { params }, getBuildCoverage: { params }, getBuildMutants: { params } };
    // Background duties run for the first time some seconds after the start.
    await farm.until(
      'the controller to be ready',
      () => farm.request('ready', {}),
      ({ status }) => status === 200,
    );
    for (const { prototype } of [Client, Pool]) {
      const query: (this: unknown, ...values: unknown[]) => unknown = prototype.query;
      vi.spyOn(prototype as { query: typeof query }, 'query').mockImplementation(function (this: unknown, ...values) {
        request.getStore()?.push(textOf(values[0]));
        return query.apply(this, values);
      });
    }
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    await farm?.stop();
  });

  const names = (Object.keys(ROUTES) as RouteName[]).filter((name) => ROUTES[name].method === 'GET') as ReadRoute[];

  it.each(names)('%s writes nothing', async (name) => {
    const statements: string[] = [];
    const server = farm.server.app.getHttpServer();
    const emit = server.emit.bind(server);
    server.emit = (event: string, ...values: unknown[]): boolean =>
      event === 'request' ? request.run(statements, () => emit(event, ...values)) : emit(event, ...values);
    const { path } = requestOf(name, calls[name]);
    const token = ROUTES[name].access === 'agent' ? agentToken : farm.userToken;
    const response = await fetch(farm.server.url + path, { headers: { authorization: `Bearer ${token}` } });
    await response.arrayBuffer();
    server.emit = emit;
    expect(response.status).toBe(STATUS[name] ?? 200);
    // Templates are files, and a process that lives says so without Postgres.
    if (name !== 'listTemplates' && name !== 'live') expect(statements).not.toEqual([]);
    const writing = statements.filter((text) => WRITES.test(text) && !TOKEN_USE.test(text));
    expect(writing.filter((text) => !MEASURING.has(name) || !MEASUREMENT.test(text))).toEqual([]);
  });
});

function callsOf(
  { runs: [run = ''], hardware, attempt: attemptOf }: SampleEvidence,
  key: string,
  sha256: string,
): { [N in ReadRoute]: CallOf<N> } {
  const { combination, machine } = hardware.BUS_ADDR;
  const test = { suite: STORY_SUITE, test: STORY_TESTS[0] };
  const attempt = { attempt: attemptOf(0, 'base', 'BUS_ADDR') };
  const build = { build: '' };
  return {
    health: {},
    live: {},
    ready: {},
    metrics: {},
    session: {},
    listRuns: {},
    getRun: { params: { run } },
    findIds: { params: { prefix: run.slice(0, 8) } },
    getBadge: { params: { run } },
    getAttempt: { params: attempt },
    getResult: { params: attempt, query: test },
    getFailure: { params: attempt, query: test },
    listRunFailures: { params: { run } },
    listBaselines: { query: {} },
    listCrashes: { query: { q: 'KASAN' } },
    getCrash: { params: { crash: '0'.repeat(32) } },
    listAttemptCrashes: { params: attempt },
    listAttemptAlarms: { params: attempt },
    listMachineAlarms: { params: { machine } },
    getCrashMail: { params: { ...attempt, crash: '0'.repeat(32) }, query: {} },
    getLog: { params: attempt, query: { stream: 'test' } },
    getAttemptFile: { params: attempt, query: { suite: test.suite, name: 'none' } },
    getRawLog: { params: { ...attempt, stream: 'test' } },
    getStageLines: { params: { ...attempt, stream: 'test' } },
    getGrid: { query: {} },
    getBuildGrid: { query: { combination: 'all' } },
    getKernelResults: { params: { key }, query: test },
    getKernelMetrics: { query: { combination } },
    getFlakiness: {},
    getHistory: { query: test },
    getCompare: { query: { a: run } },
    getHardware: {},
    getTwins: {},
    getCatalogue: {},
    listMetrics: {},
    getTrendOverview: {},
    listTests: {},
    getTrend: { query: { suite: STORY_METRICS_SUITE, metric: 'copy_device' } },
    getFleet: {},
    getMachine: { params: { machine } },
    getMachineHealth: { params: { machine } },
    listReservations: { query: { machine } },
    listTerminals: { params: { machine } },
    getTerminalOutput: { params: { terminal: '00000000-0000-4000-8000-000000000000' } },
    listMachineAttempts: { params: { machine } },
    getInventoryHistory: { params: { machine } },
    listMachineUse: {},
    listMachineChanges: { params: { machine } },
    listMachineQueue: { params: { machine } },
    listBuilds: {},
    getBuild: { params: build },
    getPatch: { params: { ...build, number: 1 } },
    getSeries: { params: build },
    getBuildFile: { params: build, query: { path: 'vmlinuz' } },
    getSourceLinks: { params: build },
    getBuildCoverage: { params: build },
    getBuildMutants: { params: build },
    listTemplates: {},
    getArtifact: { params: { sha256 } },
    findBundle: { params: { key } },
    listTokens: {},
    listDeliveries: {},
    listHooks: {},
    listReports: {},
    getRetention: {},
    planRetention: {},
  };
}
