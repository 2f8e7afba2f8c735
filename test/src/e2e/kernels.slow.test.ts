import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HttpClient } from '@peerlab/client';
import type { AttemptDetail, RunDetail } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uploadGarbage } from './garbage-bundle.js';
import { attemptsOf, runToTheEnd, StartedFarm } from './started-farm.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
/** One kernel build with a warm compiler cache and one machine under software emulation. */
const RUN_MS = 25 * 60_000;
const MACHINE = 'v-switch';

/** Kernels that are untouched, wrong, or die on purpose, one after the other on one machine. */
describe('kernels of every kind on one machine', () => {
  let farm: StartedFarm;
  let client: HttpClient;

  beforeAll(async () => {
    farm = await StartedFarm.start(['--no-run', '--machines', MACHINE]);
    await farm.said(/Ctrl-C stops it/, RUN_MS);
    client = await farm.client();
  }, RUN_MS);
  afterAll(async () => farm?.remove());

  const bundled = async (name: string): Promise<string> => readFile(join(root, 'infra/runs', `${name}.yaml`), 'utf8');
  const run = (yaml: string): Promise<RunDetail> => runToTheEnd(client, yaml, RUN_MS);
  async function testAttempt(of: RunDetail): Promise<AttemptDetail> {
    const attempt = (await attemptsOf(client, of)).find((a) => a.kind === 'test');
    if (attempt === undefined) throw new Error(`no test attempt: ${JSON.stringify(of.jobViews, null, 1)}`);
    return attempt;
  }
  const verdictOf = (attempt: AttemptDetail, test: string) => attempt.results.find((r) => r.test === test);
  /** Whatever happened, the machine is back on its default kernel without a person. */
  function expectRestored(attempt: AttemptDetail): void {
    expect(attempt.restored).toBe(true);
    expect(verdictOf(attempt, 'restore')).toMatchObject({ verdict: 'pass' });
    const before = attempt.kernels.find((k) => k.phase === 'default-before');
    const after = attempt.kernels.find((k) => k.phase === 'default-after');
    expect(after?.buildId).toBe(before?.buildId);
  }

  it('sets the untouched base beside the series', async () => {
    const ended = await run(await bundled('before-after'));
    const grid = await client.call('getGrid', { query: { run: ended.id } });
    expect(grid.columns.map((c) => [c.build.name, c.build.features])).toEqual([
      ['base', []],
      ['patched', ['dma_alias']],
    ]);
    const cell = (test: string, column: number) => {
      const row = grid.rows.findIndex((r) => r.test === test);
      return grid.cells.find((c) => c.row === row && c.column === column);
    };
    expect(cell('F01.alias_returned', 0)).toMatchObject({
      verdict: 'skip',
      reason: expect.stringContaining('lacks') as string,
    });
    expect(cell('F01.alias_returned', 1)).toMatchObject({ verdict: 'pass' });
    // The suites' first trophy: a fault of the untouched kernel that the series mends.
    expect(cell('F52.own_pmd_partial_range', 0)).toMatchObject({ verdict: 'fail' });
    expect(cell('F52.own_pmd_partial_range', 1)).toMatchObject({ verdict: 'pass' });
    const sideBySide = grid.metrics.filter((m) => m.values.every((v) => v !== null));
    expect(sideBySide.map((m) => m.name)).toEqual(
      expect.arrayContaining(['fault_map.ram.pte', 'fault_map.fallback.pte']),
    );
    // What the series is for: an alias costs a small part of what the base does today.
    const median = (name: string, column: number) =>
      grid.metrics.find((m) => m.name === name)?.values[column]?.median ?? Number.NaN;
    expect(median('fault_map.alias.pte', 1)).toBeLessThan(median('fault_map.fallback.pte', 0) / 4);
  });

  it('catches a planted bug by comparing data', async () => {
    const ended = await run(await bundled('neighbour-page'));
    expect(ended.verdict).toBe('fail');
    const attempt = await testAttempt(ended);
    expect(verdictOf(attempt, 'F60.peer_read')).toMatchObject({ verdict: 'fail' });
    expect(attempt.results.filter((r) => r.verdict === 'fail').length).toBeGreaterThanOrEqual(5);
    expectRestored(attempt);
  });

  it('calls a panic at boot a crash, with its signature', async () => {
    const ended = await run(await bundled('panic-at-boot'));
    expect(ended.verdict).toBe('crash');
    const attempt = await testAttempt(ended);
    expect(attempt.failure).toMatchObject({ class: 'kernel-crash', stage: 'boot' });
    expect(attempt.failure?.signature).toMatch(/^kernel panic: /);
    expect(verdictOf(attempt, 'boot')).toMatchObject({ verdict: 'crash' });
    expect(verdictOf(attempt, 'F01.alias_returned')).toMatchObject({ verdict: 'not-reached' });
    expectRestored(attempt);
  });

  it('calls a hang at boot a provisioning failure and resets the machine', async () => {
    const attempt = await testAttempt(await run(await bundled('hang-at-boot')));
    expect(attempt.failure).toMatchObject({ class: 'provisioning', stage: 'boot' });
    expect(attempt.failure?.message).toMatch(/hung at boot/);
    expect(verdictOf(attempt, 'boot')).toMatchObject({ verdict: 'fail' });
    expectRestored(attempt);
  });

  it('says that the boot loader refused a garbage image', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'peerlab-garbage-'));
    try {
      const key = await uploadGarbage(client, folder);
      const spec = { name: 'garbage image', builds: [{ name: 'garbage', bundle: key }], suites: ['p2p-functional'] };
      const attempt = await testAttempt(await run(JSON.stringify(spec)));
      expect(attempt.failure).toMatchObject({ class: 'provisioning', stage: 'boot' });
      expect(attempt.failure?.message).toMatch(/GRUB could not load the image/);
      expectRestored(attempt);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('goes on after an oops in one test', async () => {
    const ended = await run(await bundled('oops-in-test'));
    expect(ended.verdict).toBe('crash');
    const attempt = await testAttempt(ended);
    const crashed = attempt.results.filter((r) => r.verdict === 'crash');
    // Every test that shows the zero page to a client.
    expect(crashed.map((r) => r.test)).toContain('F40.mixed_range');
    for (const { signature } of crashed) expect(signature).toMatch(/ in hmm_vma_walk_pmd/);
    // Tests after the killer ran on the kernel that was booted again.
    expect(verdictOf(attempt, 'F60.peer_read')).toMatchObject({ verdict: 'pass' });
    expect(attempt.results.filter((r) => r.verdict === 'not-reached')).toEqual([]);
    expectRestored(attempt);
  });

  it('says which hunk of a series does not apply', async () => {
    const mbox = await readFile(join(root, 'kernel/mutants/wont-apply.mbox'), 'utf8');
    const spec = {
      name: 'series that does not apply',
      builds: [{ name: 'mine', series: ['bundled', { mbox }] }],
      suites: ['p2p-functional'],
    };
    // JSON is YAML.
    const ended = await run(JSON.stringify(spec));
    const failure = ended.jobViews.find((job) => job.kind === 'build')?.attempts.at(-1)?.failure;
    expect(failure).toMatchObject({ class: 'build' });
    expect(failure?.message).toMatch(/0002-.*mm\/hmm\.c, hunk 2/);
    const waiting = ended.jobViews.find((job) => job.kind === 'test');
    expect(waiting).toMatchObject({ state: 'ended' });
  });

  it('runs the next job as if nothing had been', async () => {
    const ended = await run(await bundled('example'));
    expect(ended.verdict).toBe('pass');
    expectRestored(await testAttempt(ended));
  });
});
