import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogStream, type Verdict } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { baseMakefile, hostileRun, sharedCache } from './hostile-series.js';
import { attemptsOf, runToTheEnd, StartedFarm, wholeLog } from './started-farm.js';

/** One report entry, as `--json` writes it. */
interface Entry {
  machine: string;
  pathKind: string;
  build: string;
  suite: string;
  test: string;
  verdict: Verdict;
  reason: string | null;
  proof: {
    expected: string;
    taken: string;
    detail: Record<string, number>;
  } | null;
}
interface Report {
  run: { id: string; verdict: Verdict; exitCode: number };
  columns: { machine: string; pathKind: string; verdict: Verdict; logLines: Record<string, number> }[];
  results: Entry[];
  metrics: { machine: string; name: string; unit: string; median: number; n: number }[];
}

/** A cold kernel build on two cores takes six minutes, three machines under software emulation five more. */
const RUN_MS = 25 * 60_000;

describe('the main job on the virtual lab, with the controller killed in the middle', () => {
  let farm: StartedFarm;
  let folder: string;
  let report: Report;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'peerlab-report-'));
    farm = await StartedFarm.start(['--json', join(folder, 'grid.json')]);
    const [, id = ''] = await farm.said(/\/runs\/([0-9a-f-]{36})/, RUN_MS);
    const client = await farm.client();
    await farm.until('a machine under test', RUN_MS, async () => {
      const run = await client.call('getRun', { params: { run: id } });
      if (run.state === 'ended') throw new Error(`the run ended too soon:\n${farm.output}`);
      return run.jobViews.some(
        (job) => job.kind === 'test' && job.attempts.at(-1)?.stages.some((s) => s.stage === 'test'),
      )
        ? run
        : null;
    });
    process.kill(await farm.pidOf('controller'), 'SIGKILL');
    await farm.said(/Ctrl-C stops it/, RUN_MS);
    report = JSON.parse(await readFile(join(folder, 'grid.json'), 'utf8')) as Report;
  }, 2 * RUN_MS);

  afterAll(async () => {
    await farm?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('restarted the controller and finished as expected', () => {
    expect(farm.output).toMatch(/the controller exited \(SIGKILL\); restarting it/);
    const bad = report.results.filter((r) => !['pass', 'skip'].includes(r.verdict));
    expect(bad.map((r) => `${r.machine} ${r.suite}/${r.test}: ${r.verdict} ${r.reason}`)).toEqual([]);
    expect(report.run.exitCode).toBe(0);
  });

  it('shows one combination per machine with the path kind of its topology', () => {
    const kinds = Object.fromEntries(report.columns.map((c) => [c.machine, c.pathKind]));
    expect(kinds).toEqual({
      'v-switch': 'BUS_ADDR',
      'v-amd-roots': 'THRU_HOST_BRIDGE',
      'v-intel-roots': 'NOT_SUPPORTED',
    });
  });

  it('proves by counters that the alias was used, or the fallback where there is no path', () => {
    for (const machine of ['v-switch', 'v-amd-roots', 'v-intel-roots']) {
      const peer = report.results.filter(
        (r) => r.machine === machine && r.verdict === 'pass' && r.proof?.expected === 'peer',
      );
      expect(peer.length, machine).toBeGreaterThanOrEqual(3);
      for (const { proof, pathKind, test } of peer) {
        if (pathKind === 'NOT_SUPPORTED')
          expect(proof, `${machine} ${test}`).toMatchObject({ taken: 'ram', detail: { 'alias pages': 0 } });
        else {
          expect(proof?.taken, `${machine} ${test}`).toBe(pathKind);
          expect(proof?.detail['alias pages'], `${machine} ${test}`).toBeGreaterThan(0);
        }
      }
      // Somewhere the bytes were compared with the host's own view of the device memory.
      if (machine !== 'v-intel-roots')
        expect(
          peer.some(
            ({ proof }) => (proof?.detail['oracle reads'] ?? 0) > 0 && (proof?.detail['bytes compared'] ?? 0) > 0,
          ),
          machine,
        ).toBe(true);
    }
  });

  it('measured ns/page on every machine', () => {
    for (const machine of ['v-switch', 'v-amd-roots', 'v-intel-roots']) {
      const metrics = report.metrics.filter((m) => m.machine === machine);
      expect(metrics.length, machine).toBeGreaterThanOrEqual(4);
      for (const metric of metrics) expect(metric.median, metric.name).toBeGreaterThan(0);
    }
  });

  it('holds every log line once, in order, as many as the agent produced', async () => {
    const client = await farm.client();
    const run = await client.call('getRun', { params: { run: report.run.id } });
    const attempts = await attemptsOf(client, run);
    expect(attempts.length).toBeGreaterThanOrEqual(4);
    for (const attempt of attempts) {
      for (const { stream, expected } of attempt.streams) {
        const lines = await wholeLog(client, attempt.id, stream);
        const name = `${attempt.machine ?? 'build'} ${stream}`;
        expect(lines.length, name).toBe(expected);
        lines.forEach((line, index) => {
          if (line.seq !== index) throw new Error(`${name}: line ${index} has sequence ${line.seq}`);
        });
      }
      if (attempt.kind === 'test') {
        const filled = attempt.streams.filter((s) => s.lines > 0).map((s) => s.stream);
        expect(filled.sort(), attempt.machine ?? '').toEqual(LogStream.options.filter((s) => s !== 'build').sort());
      }
    }
  });

  it('proved which kernel ran and brought every machine back', async () => {
    const client = await farm.client();
    const run = await client.call('getRun', { params: { run: report.run.id } });
    const attempts = (await attemptsOf(client, run)).filter((a) => a.kind === 'test');
    for (const attempt of attempts) {
      expect(attempt.restored, attempt.machine ?? '').toBe(true);
      const byPhase = new Map(attempt.kernels.map((k) => [k.phase, k]));
      expect([...byPhase.keys()].sort()).toEqual(['candidate', 'default-after', 'default-before']);
      expect(byPhase.get('candidate')).toMatchObject({ proven: true });
      expect(byPhase.get('default-after')?.buildId).toBe(byPhase.get('default-before')?.buildId);
      expect(new Set(attempt.kernels.map((k) => k.bootId)).size).toBeGreaterThanOrEqual(3);
    }
    // No test of ours is taken for trouble with the hardware: the next job finds its machines in service.
    const { machines } = await client.call('getFleet', {});
    expect(machines.filter(({ desired }) => desired !== 'active').map(({ name }) => name)).toEqual([]);
    const alarms = await Promise.all(
      machines.map(({ name }) => client.call('listMachineAlarms', { params: { machine: name } })),
    );
    expect(alarms.flat()).toEqual([]);
  });

  it('gives a hostile series nothing, and says why its build failed', async () => {
    const client = await farm.client();
    const secrets = ['agent.token', 'user.token', 'lab/client_key'].map((name) => join(farm.stateDir, name));
    const before = await sharedCache(farm.cacheDir);
    const run = await runToTheEnd(client, hostileRun(await baseMakefile(farm.cacheDir), farm.url, secrets), RUN_MS);
    const [job] = run.jobViews;
    const [attempt] = await attemptsOf(client, run);
    expect(attempt?.failure).toMatchObject({ class: 'build', message: expect.stringContaining('seen enough') });
    expect(job?.attempts.length).toBe(1);
    const log = (await wholeLog(client, attempt?.id ?? '', 'build')).map(({ text }) => text).join('\n');
    // It ran, as the kernel's own Makefile does.
    expect(log).toMatch(/SAID uid=1000 gid=1000/);
    expect(log).not.toMatch(/SAID (?:READ|WROTE|REACHED)/);
    for (const secret of secrets)
      expect(log).not.toContain((await readFile(secret, 'utf8')).trim().split('\n').at(1) ?? '?');
    expect(await sharedCache(farm.cacheDir)).toEqual(before);
  });

  it('stops everything it started on Ctrl-C', async () => {
    expect(await farm.interrupt()).toBe(0);
    expect(await farm.leftOvers()).toEqual([]);
  });
});
