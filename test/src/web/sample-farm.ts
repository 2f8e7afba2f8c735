import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import {
  AttemptDetail,
  defaultSuites,
  desiredInWords,
  type Grid,
  LogPage,
  LogQuery,
  type MachineChange,
  MachineView,
  problemItems,
  ROUTES,
  RunDetail,
  RunSpec,
  SubmissionReport,
  whyNotSelected,
  worstVerdict,
  type LogLine,
  type LogStream,
  type Route,
  type RouteName,
  type RunSummary,
} from '@peerlab/contracts';
import { SAMPLE_CATALOGUE } from '@peerlab/controller/testing';
import { z } from 'zod';
import { SampleHealth } from './sample-health.js';
import { readSpec, sampleSeries } from './sample-check.js';
import { sampleBadge, SampleDesk } from './sample-desk.js';
import { SampleCrashes } from './sample-crashes.js';
import { SampleFailures } from './sample-failures.js';
import { sampleGrid } from './sample-grid.js';
import { SampleKernels } from './sample-kernels.js';
import { sampleMachines } from './sample-lab.js';
import { pageOf, sampleText, type SampleStream } from './sample-logs.js';
import { Refusal } from './sample-refusal.js';
import { SampleLive } from './sample-live.js';
import { machineAttempts, sampleAgents, planStart, sampleDrift, sampleQueue, sampleUse } from './sample-machine.js';
import { runningRun, sampleJob, type SampleJob } from './sample-results.js';

/** The token that writes need. */
export const SAMPLE_TOKEN = 'sample-token';

const YAML = `name: dma_alias, before and after
builds:
  - name: base
    series: []
  - name: dma-alias
    series: [bundled]
`;

/** Lets one file through. */
const SAMPLE_TICKET = 't'.repeat(32);
const METRICS_AT = new Date().toISOString();

/**
 * The controller's HTTP and live interface over a seeded farm in memory, for tests of the web UI.
 * Every answer is parsed by its schema before it is sent, so that it cannot drift from the contract.
 */
export class SampleFarm {
  readonly machines = sampleMachines();
  readonly machineChanges: (MachineChange & { machine: string })[] = [];
  readonly runs = new Map<string, RunDetail>();
  readonly attempts = new Map<string, AttemptDetail>();
  private readonly failures = new SampleFailures(this.attempts);
  private readonly crashes = new SampleCrashes(this.attempts);
  readonly jobs: SampleJob[] = [];
  /** The ended before-and-after run and the one whose build is running. */
  readonly endedRun: string;
  readonly liveRun: string;
  readonly buildAttempt: string;
  readonly desk: SampleDesk;
  private readonly health: SampleHealth;
  /** How often each route was called. */
  readonly calls = new Map<RouteName, number>();
  /** Routes that answer 500 until removed. */
  readonly broken = new Set<RouteName>();
  readonly live = new SampleLive(
    ({ attemptId, stream, fromSeq }, limit) =>
      pageOf(this.stream(attemptId, stream), attemptId, stream, fromSeq, limit).lines,
  );
  private readonly streams = new Map<string, SampleStream>();
  private server: Server | null = null;
  private port = 0;

  constructor(private readonly webRoot: string) {
    const id = randomUUID();
    const run = { id, name: 'dma_alias, before and after' };
    for (const machine of this.machines) {
      for (const build of ['base', 'dma-alias']) this.jobs.push(sampleJob(run, build, machine));
    }
    for (const { attempt } of this.jobs) this.attempts.set(attempt.id, attempt);
    this.health = new SampleHealth(run, this.jobs[0]?.attempt.id ?? '');
    this.endedRun = id;
    this.runs.set(id, this.endedDetail(run));
    const [, , intel] = this.machines;
    if (intel === undefined) throw new Error('the sample lab has three machines');
    const live = runningRun(intel);
    this.liveRun = live.run.id;
    this.buildAttempt = live.attempt.id;
    this.runs.set(live.run.id, live.run);
    this.attempts.set(live.attempt.id, live.attempt);
    this.desk = new SampleDesk(this.run(id), live.run);
    intel.observed = 'offline';
    intel.problem = 'SSH to 127.0.0.1:2203 was refused; is the machine powered on?';
  }

  /** Starts serving, on the same port after a stop; does nothing while it serves. Resolves to the address. */
  async start(): Promise<string> {
    if (this.server !== null) return `http://127.0.0.1:${this.port}`;
    const server = createServer((request, response) => void this.answer(request, response));
    this.live.serve(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    return `http://127.0.0.1:${this.port}`;
  }

  /** Stops like a killed controller: every connection ends at once. */
  async stop(): Promise<void> {
    this.live.drop();
    const { server } = this;
    this.server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** Tells the pages that watch a topic to fetch again. */
  changed(topic: string): void {
    this.live.changed(topic);
  }

  /** Adds lines to a stream and pushes them to those who tail it. */
  pushLines(attemptId: string, stream: LogStream, texts: string[]): void {
    const held = this.stream(attemptId, stream);
    const lines = texts.map((text, index): LogLine => ({ seq: held.total + index, at: Date.now(), text }));
    for (const { seq, text } of lines) held.pushed.set(seq, text);
    held.total += texts.length;
    this.live.pushed(attemptId, stream, lines);
  }

  /** The named stream; made from the attempt's counts when first asked for. */
  stream(attemptId: string, name: LogStream): SampleStream {
    const key = `${attemptId}/${name}`;
    let stream = this.streams.get(key);
    if (stream === undefined) {
      const attempt = this.attempts.get(attemptId);
      if (attempt === undefined) throw new Refusal(404, 'not-found', `there is no attempt ${attemptId}`);
      const total = attempt.streams.find((each) => each.stream === name)?.lines ?? 0;
      stream = {
        total,
        complete: attempt.state === 'ended',
        text: sampleText(name),
        pushed: new Map(),
        lost: new Set(),
        marks: new Map(),
        removedAt: null,
      };
      this.streams.set(key, stream);
    }
    return stream;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://farm');
    if (!url.pathname.startsWith('/api/')) {
      await this.sendFile(url.pathname, response);
      return;
    }
    try {
      const { name, params } = matchRoute(request.method ?? 'GET', url.pathname);
      const route: Route = ROUTES[name];
      this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
      if (this.broken.has(name)) throw new Refusal(500, 'internal', 'the database did not answer');
      if (
        (route.access === 'user' || route.access === 'agent') &&
        request.headers.authorization !== `Bearer ${SAMPLE_TOKEN}` &&
        !(route.takesTicket === true && url.searchParams.get('ticket') === SAMPLE_TICKET)
      ) {
        throw new Refusal(401, 'unauthorized', 'a token is needed');
      }
      const body: unknown = route.body === undefined ? undefined : JSON.parse(await textOf(request));
      const answer = this.handle(name, params, Object.fromEntries(url.searchParams), body);
      if (route.response === undefined) {
        const type = name === 'getBadge' ? 'image/svg+xml' : 'text/plain; charset=utf-8';
        response.writeHead(200, { 'content-type': type }).end(String(answer));
        return;
      }
      // Before anything is sent: a sample that breaks the contract is refused.
      const text = JSON.stringify(route.response.parse(answer));
      response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(500, 'internal', String(error));
      const { status, code, message, errors } = refusal;
      const problem = { title: message, status, code, detail: message, errors, correlationId: randomUUID() };
      response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
    }
  }

  private handle(
    name: RouteName,
    params: Record<string, string>,
    query: Record<string, string>,
    body: unknown,
  ): unknown {
    switch (name) {
      case 'getGrid':
        return this.grid(query['run'], query['cells'] !== 'none');
      case 'getBuildGrid':
      case 'getKernelResults':
      case 'getKernelMetrics':
      case 'getFlakiness':
        return new SampleKernels(this.jobs).answer(name, params, query);
      case 'listRuns':
        return [...this.runs.values()]
          .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
          .map((run) => ({ ...run, cursor: `${run.createdAt}~${run.id}` }))
          .filter(
            ({ cursor, name, verdict }) =>
              (query['before'] === undefined || cursor < query['before']) &&
              name.includes(query['q'] ?? '') &&
              (query['verdict'] === undefined || verdict === query['verdict']),
          );
      case 'getRun':
        return this.run(params['run']);
      case 'cancelRun': {
        const run = this.run(params['run']);
        run.cancelRequested = true;
        this.changed(`run:${run.id}`);
        return run;
      }
      case 'submitRun':
      case 'retryRun':
        return this.submit(name === 'submitRun' ? z.object({ yaml: z.string() }).parse(body).yaml : YAML);
      case 'retryJob':
        return this.submit(YAML);
      case 'checkRun':
        return this.check(z.object({ yaml: z.string() }).parse(body).yaml);
      case 'getAttempt': {
        const attempt = this.attempts.get(params['attempt'] ?? '');
        if (attempt === undefined) throw new Refusal(404, 'not-found', 'there is no such attempt');
        return {
          ...attempt,
          streams: attempt.streams.map((each) => ({ ...each, lines: this.stream(attempt.id, each.stream).total })),
        };
      }
      case 'getResult': {
        const { suite, test } = query;
        const results = this.attempts.get(params['attempt'] ?? '')?.results ?? [];
        const found = results.find((result) => result.suite === suite && result.test === test);
        if (found === undefined) throw new Refusal(404, 'not-found', `there is no result ${suite}/${test}`);
        return { ...found, suspects: [] };
      }
      case 'getFailure':
      case 'listRunFailures':
      case 'markKnownFailure':
      case 'endKnownFailure':
        return this.failures.answer(name, params, query, body);
      case 'listCrashes':
      case 'getCrash':
      case 'listAttemptCrashes':
      case 'getCrashMail':
        return this.crashes.answer(name, params, query);
      case 'getStageLines':
        // The times of the sample's lines are those of no stage.
        return { stages: [] };
      case 'getLog':
        return this.log(params['attempt'] ?? '', LogQuery.parse(query));
      case 'createTicket':
        return { ticket: SAMPLE_TICKET };
      case 'getCatalogue':
        return {
          ...SAMPLE_CATALOGUE,
          labSuites: [],
          repositories: ['https://git.example.org/linux.git'],
          bases: ['7.2'],
          isComplete: true,
          waitsFor: null,
        };
      case 'getFleet':
        return { machines: this.machines, agents: sampleAgents() };
      case 'getMachine':
        return this.machine(params['machine']);
      case 'listMachineAttempts':
        return machineAttempts(this.machine(params['machine']).name, [...this.attempts.values()]);
      case 'listMachineUse':
        return sampleUse(this.machines);
      case 'getMachineHealth':
      case 'listMachineAlarms':
      case 'listAttemptAlarms':
      case 'checkMachine':
        return this.health.answer(name, params, body);
      case 'listTerminals':
        return [];
      case 'listMachineChanges':
        return this.machineChanges.filter(({ machine }) => machine === this.machine(params['machine']).name);
      case 'listMachineQueue':
        return sampleQueue(this.machine(params['machine']).name, this.run(this.liveRun));
      case 'getInventoryHistory':
        return sampleDrift(this.machine(params['machine']));
      case 'pinRun': {
        const { pinned, reason } = z.object({ pinned: z.boolean(), reason: z.string().optional() }).parse(body);
        const run = this.run(params['run']);
        run.pin = pinned ? { by: 'admin', reason: reason ?? null, at: new Date().toISOString() } : null;
        if (!pinned) this.desk.answer(name, params, query, body);
        this.changed(`run:${run.id}`);
        return { pinned };
      }
      case 'setMachine': {
        const machine = this.machine(params['machine']);
        const { desired, reason } = ROUTES.setMachine.body.parse(body);
        const change = { desired, reason, by: 'admin', at: new Date().toISOString() };
        machine.desired = desired;
        machine.desiredBy = { name: change.by, reason, at: change.at };
        machine.problem = desired === 'active' ? null : `${reason} (${desiredInWords(desired)} by ${change.by})`;
        this.machineChanges.unshift({ machine: machine.name, event: null, ...change });
        return machine;
      }
      case 'listMetrics':
        return [{ suite: 'p2p-perf', name: 'copy_device', unit: 'GB/s', better: 'higher', lastAt: METRICS_AT }];
      case 'listTests':
        return { tests: [{ suite: 'p2p-functional', test: 'retired_test' }], isCut: false };
      case 'session':
        return { user: 'admin' };
      case 'listTemplates':
        return [{ name: 'before-after', description: 'The base and the bundled series on every machine.', yaml: YAML }];
      case 'getRawLog':
        return 'raw log';
      case 'getBuildFile':
        return `content of ${query['path']}`;
      case 'getBadge':
        return sampleBadge(this.run(params['run']));
      default:
        return this.desk.answer(name, params, query, body);
    }
  }

  private run(id: string | undefined): RunDetail {
    const run = this.runs.get(id ?? '');
    if (run === undefined) throw new Refusal(404, 'not-found', 'there is no such run');
    return run;
  }

  private machine(name: string | undefined): MachineView {
    const machine = this.machines.find((each) => each.name === name);
    if (machine === undefined) throw new Refusal(404, 'not-found', `there is no machine ${name ?? ''}`);
    return machine;
  }

  private log(attemptId: string, { stream, from, limit }: z.output<typeof LogQuery>): LogPage {
    return pageOf(this.stream(attemptId, stream), attemptId, stream, from, limit);
  }

  private grid(run: string | undefined, isWhole: boolean): Grid {
    const isEmpty = run !== undefined && run !== this.endedRun;
    return sampleGrid(isEmpty ? [] : this.jobs, isWhole);
  }

  private check(yaml: string): SubmissionReport {
    const { spec, problems } = readSpec(yaml);
    if (spec === null) return { ok: false, problems, plan: [], builds: [], series: [], unmatched: [] };
    const reasons = this.machines.map((machine) => ({ machine, why: whyNotSelected(spec.machines, machine) }));
    const fitting = reasons.filter(({ why }) => why === null).map(({ machine }) => machine);
    return {
      ok: fitting.length > 0,
      problems:
        fitting.length > 0 ? [] : [{ path: 'machines', message: 'no machine matches', remedy: 'see below why' }],
      plan: spec.builds.flatMap((build) =>
        fitting.flatMap((machine) =>
          machine.paths.map(({ combination, kind, provider, client }) => ({
            build: build.name,
            machines: [machine.name],
            machinesTotal: 1,
            combination: combination.label,
            pathKind: kind,
            pair: { provider: provider.address, client: client.address },
            roles: [],
            suites: spec.suites,
            boots: spec.repeat ?? 1,
            start: planStart(machine, build.bundle === undefined),
          })),
        ),
      ),
      builds: spec.builds.flatMap(({ name, bundle }) =>
        bundle === undefined ? [{ build: name, basis: 'size' as const, ms: 540_000, samples: 3 }] : [],
      ),
      series: sampleSeries(spec),
      unmatched: reasons.flatMap(({ machine, why }) => (why === null ? [] : [{ machine: machine.name, why }])),
    };
  }

  private submit(yaml: string): RunSummary {
    const { spec, problems } = readSpec(yaml);
    if (spec === null) throw new Refusal(422, 'invalid-run', 'the run has problems', problems);
    const run: RunDetail = {
      ...this.run(this.liveRun),
      id: randomUUID(),
      name: spec.name,
      spec,
      yaml,
      createdAt: new Date().toISOString(),
    };
    this.runs.set(run.id, run);
    this.changed('runs');
    return run;
  }

  private endedDetail(run: { id: string; name: string }): RunDetail {
    const counts: RunDetail['counts'] = {};
    for (const { attempt } of this.jobs) {
      for (const { verdict } of attempt.results) counts[verdict] = (counts[verdict] ?? 0) + 1;
    }
    const ended = this.jobs[0]?.attempt.endedAt ?? null;
    return {
      ...run,
      state: 'ended',
      verdict: worstVerdict(this.jobs.flatMap(({ attempt }) => attempt.results.map(({ verdict }) => verdict))),
      counts,
      jobs: { total: this.jobs.length, ended: this.jobs.length },
      progress: null,
      trigger: { kind: 'user', detail: 'admin' },
      builds: ['base', 'dma-alias'],
      createdAt: new Date(Date.now() - 610_000).toISOString(),
      startedAt: new Date(Date.now() - 605_000).toISOString(),
      endedAt: ended,
      cancelRequested: false,
      spec: RunSpec.parse({
        name: run.name,
        builds: [
          { name: 'base', series: [] },
          { name: 'dma-alias', series: ['bundled'] },
        ],
        suites: defaultSuites(SAMPLE_CATALOGUE),
      }),
      yaml: YAML,
      jobViews: this.jobs.map(({ job }) => job),
      endsInMs: null,
      purpose: 'test',
      suspects: [],
      pin: { by: 'admin', reason: 'for the paper', at: new Date(Date.now() - 5_000_000).toISOString() },
    };
  }

  private async sendFile(path: string, response: ServerResponse): Promise<void> {
    const types: Record<string, string> = {
      '.js': 'text/javascript',
      '.css': 'text/css',
      '.svg': 'image/svg+xml',
      '.html': 'text/html; charset=utf-8',
    };
    const isAsset = extname(path) !== '' && path.startsWith('/assets/');
    const file = join(this.webRoot, isAsset ? normalize(path) : 'index.html');
    try {
      const content = await readFile(file);
      response
        .writeHead(200, {
          'content-type': types[extname(file)] ?? 'application/octet-stream',
          // Strict on purpose: a page that breaks under it would break in a careful installation.
          'content-security-policy': "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        })
        .end(content);
    } catch {
      response.writeHead(404).end('not found');
    }
  }
}

function matchRoute(method: string, path: string): { name: RouteName; params: Record<string, string> } {
  for (const [name, route] of Object.entries(ROUTES)) {
    const names = [...route.path.matchAll(/:([a-zA-Z0-9]+)/g)].map(([, key]) => key ?? '');
    const match = new RegExp(`^${route.path.replace(/:[a-zA-Z0-9]+/g, '([^/]+)')}$`).exec(path);
    if (route.method !== method || match === null) continue;
    const params = Object.fromEntries(names.map((key, index) => [key, decodeURIComponent(match[index + 1] ?? '')]));
    const given = (route as Route).params?.safeParse(params);
    if (given?.success === false)
      throw new Refusal(400, 'invalid', 'the address is not valid', problemItems(given.error));
    return { name: name as RouteName, params };
  }
  throw new Refusal(404, 'not-found', `there is no ${method} ${path}`);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
