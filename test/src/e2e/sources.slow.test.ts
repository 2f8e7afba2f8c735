import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HttpClient } from '@peerlab/client';
import type { AttemptDetail, Grid, RunDetail } from '@peerlab/contracts';
import { cacheFolder } from '@peerlab/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { serveKernel, type ServedKernel } from './served-kernel.js';
import { attemptsOf, awaitEnd, runToTheEnd, StartedFarm } from './started-farm.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const MACHINES = ['v-switch', 'v-amd-roots'];
/** A whole kernel with debug information on two cores, and two machines under software emulation. */
const RUN_MS = 45 * 60_000;
/** Kernels have no debug information unless they are asked to. */
const DEBUG = 'CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y';

describe('the kernel of a git repository, and suites of a run', () => {
  let folder: string;
  let kernel: ServedKernel;
  let farm: StartedFarm;
  let client: HttpClient;
  let run: RunDetail;
  let attempts: AttemptDetail[];
  let grid: Grid;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'peerlab-served-'));
    kernel = await serveKernel(join(folder, 'served'), cacheFolder());
    // The run file as it is in the tree, with the repository in place of the farm's base.
    const file = parseDocument(await readFile(join(root, 'infra/runs/own-suites.yaml'), 'utf8'));
    file.set('builds', [{ name: 'upstream', git: { url: kernel.url, ref: 'master' }, fragment: DEBUG }]);
    const runFile = join(folder, 'run.yaml');
    await writeFile(runFile, file.toString());
    farm = await StartedFarm.start(['--run', runFile, '--machines', MACHINES.join(','), '--repositories', kernel.url]);
    const [, id = ''] = await farm.said(/\/runs\/([0-9a-f-]{36})/, RUN_MS);
    client = await farm.client();
    run = await awaitEnd(client, id, RUN_MS);
    attempts = (await attemptsOf(client, run)).filter(({ kind }) => kind === 'test');
    grid = await client.call('getGrid', { query: { run: id, cells: 'all' } });
  }, 2 * RUN_MS);
  afterAll(async () => {
    await farm?.remove();
    await kernel?.server.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('pass on both machines', () => {
    const bad = grid.cells.filter(({ verdict }) => !['pass', 'skip'].includes(verdict));
    expect(bad.map(({ row, reason }) => `${grid.rows[row]?.suite}/${grid.rows[row]?.test}: ${reason}`)).toEqual([]);
    expect(run.verdict).toBe('pass');
    expect(new Set(grid.columns.map(({ machine }) => machine))).toEqual(new Set(MACHINES));
    expect(grid.columns.length).toBe(MACHINES.length);
  });

  it('ran on the commit of the branch, which every place names', async () => {
    for (const { build } of grid.columns)
      expect(build.git).toEqual({ url: kernel.url, ref: 'master', commit: kernel.commit });
    const [column] = grid.columns;
    const { source, manifest } = await client.call('getBuild', { params: { build: column?.build.id ?? '' } });
    expect(source).toEqual({ kind: 'git', url: kernel.url, ref: 'master', commit: kernel.commit });
    expect(Object.keys(manifest?.files ?? {})).toEqual(expect.arrayContaining(['sources.gz', 'debug/vmlinux']));
    for (const { kernels, restored, machine } of attempts) {
      const candidate = kernels.find(({ phase }) => phase === 'candidate');
      expect(candidate, machine ?? '').toMatchObject({ proven: true, buildId: manifest?.buildId });
      expect(candidate?.nonce, machine ?? '').toMatch(/^[0-9a-f]{8,}$/);
      expect(restored, machine ?? '').toBe(true);
    }
  });

  it('stand as trees in the grid: each value of the parameter, each test of the kernel’s own and its sub-tests', () => {
    const rows = grid.rows.map(({ suite, test }) => `${suite}/${test}`);
    expect(rows).toEqual(expect.arrayContaining(['smoke[BS=4k]/whole suite', 'smoke[BS=64k]/whole suite']));
    expect(rows.filter((row) => row.startsWith('signals/') && row.split('/').length > 2).length).toBeGreaterThan(0);
    for (const { verdicts } of grid.rows) expect(verdicts).toMatch(/^[PS]{2}$/);
  });

  it('left the metric and the file of the script on each machine', () => {
    for (const { files, measurements, machine } of attempts) {
      const bytes = measurements.filter(({ name }) => name === 'bytes').map(({ median }) => median);
      expect(
        bytes.toSorted((a, b) => a - b),
        machine ?? '',
      ).toEqual([4 * 4096, 4 * 65_536]);
      const left = files.filter(({ name }) => name === 'zeros').map(({ sizeBytes }) => sizeBytes);
      expect(
        left.toSorted((a, b) => a - b),
        machine ?? '',
      ).toEqual([4 * 4096, 4 * 65_536]);
    }
  });

  it(
    'tell of a crash where in the source it was',
    async () => {
      const spec = {
        name: 'a crash with debug information',
        builds: [{ name: 'upstream', git: { url: kernel.url, ref: kernel.commit }, fragment: DEBUG }],
        suites: [{ name: 'crasher', script: 'echo c >/proc/sysrq-trigger', limitSeconds: 120 }],
        machines: { names: [MACHINES[0]] },
      };
      const ended = await runToTheEnd(client, JSON.stringify(spec), RUN_MS);
      expect(ended.verdict).toBe('crash');
      const attempt = (await attemptsOf(client, ended)).find(({ kind }) => kind === 'test');
      const { crashes } = await farm.until('the search of the logs', RUN_MS, async () => {
        const found = await client.call('listAttemptCrashes', { params: { attempt: attempt?.id ?? '' } });
        return found.pending ? null : found;
      });
      const [crash] = crashes;
      const places = crash?.sources.flatMap(({ frames }) =>
        frames.map(({ name, file, line }) => `${name} ${file}:${line}`),
      );
      expect(places).toEqual(
        expect.arrayContaining([expect.stringMatching(/^sysrq_handle_crash drivers\/tty\/sysrq\.c:\d+$/)]),
      );
      expect(places).toEqual(expect.arrayContaining([expect.stringMatching(/^\w+ fs\/\w+\.c:\d+$/)]));
      expect(crash?.git?.commit).toBe(kernel.commit);
    },
    2 * RUN_MS,
  );
});
