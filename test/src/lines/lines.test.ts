import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FAKE_SUITE, InProcessAgent, startFakeLab, tarEntry, tarOf, type FakeLab } from '@peerlab/agent/fake';
import { COMMANDS } from '@peerlab/cli';
import { HttpClient } from '@peerlab/client';
import type { Mutant, RunDetail } from '@peerlab/contracts';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_INVENTORY } from '../faults/lab.js';

/** A real controller, a real agent, a machine on script that shows counters which a real program counted. */

const SAMPLES = join(dirname(fileURLToPath(import.meta.url)), '../../../apps/agent/src/coverage/samples');
const sample = (name: string): Promise<Buffer> => readFile(join(SAMPLES, name));

let folder: string;
let farm: TestFarm;
let lab: FakeLab;
let agent: InProcessAgent;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lines-'));
  farm = await TestFarm.start();
});
afterEach(async () => {
  agent.die();
  await lab.fake.stop();
  await farm.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A machine whose next run boots a bundle with these files. Resolves to the key of the bundle. */
async function machineWith(more: Record<string, Buffer>): Promise<string> {
  lab = await startFakeLab(folder, { more });
  lab.fake.inventory = FAKE_INVENTORY;
  const token = await farm.token('agent', 'lab');
  agent = new InProcessAgent({ controller: farm.server.url, token, name: 'lab', folder, machines: [lab.machine] });
  agent.start();
  const { manifest, sha256, tar } = lab.bundle;
  await farm.upload(sha256, await readFile(tar));
  const { key } = await farm.call('registerBundle', { body: { manifest, sha256 } });
  await farm.until('the machine', async () => {
    const { machines } = await farm.call('getFleet', {});
    return machines.some(({ paths }) => paths.length > 0);
  });
  return key;
}

async function runOf(yaml: string): Promise<RunDetail> {
  const { id } = await farm.call('submitRun', { body: { yaml } });
  return farm.until(
    'the end of the run',
    () => farm.call('getRun', { params: { run: id } }),
    ({ state }) => state === 'ended',
  );
}
/** What a command of the CLI prints. */
async function printed(name: string, run: RunDetail, options: Record<string, unknown> = {}): Promise<string> {
  const command = COMMANDS.find(({ usage }) => usage.startsWith(`${name} `));
  const api = new HttpClient({ url: farm.server.url, token: () => farm.userToken });
  const context = { api, json: false, colour: false, stdin: (async function* () {})(), env: {} };
  const rest = {
    write: () => undefined,
    writeError: () => undefined,
    setExitCode: () => undefined,
    seat: { stdin: process.stdin, stdout: process.stdout },
  };
  return (await command?.run({ ...context, ...rest }, [run.id.slice(0, 8)], options))?.text ?? '';
}
const buildOf = ({ jobViews }: RunDetail): { build: string } => ({ build: jobViews[0]?.buildId ?? '' });

describe('the lines of a series, from the machine to the page of the build', () => {
  it('are those that its counters say', async () => {
    const lines = (await sample('branches.c')).toString().trimEnd().split('\n');
    const diff = `--- /dev/null\n+++ b/branches.c\n@@ -0,0 +1,${lines.length} @@\n${lines.map((line) => `+${line}\n`).join('')}`;
    const key = await machineWith({
      'series.diff': Buffer.from(diff),
      'gcov-notes.tar': tarOf(tarEntry({ name: 'branches.gcno' }, await sample('branches-O2.gcno'))),
    });
    const counters = (await sample('branches-O2.gcda')).toString('base64');
    lab.fake.answers.set('line-counters', (channel) => {
      channel.write(`@ ./cache/kernel/tree-coverage-0/branches.gcda\n${counters}\n@end 1\n`);
      channel.exit(0);
    });
    const run = await runOf(`name: counted\nbuilds: [{name: b, bundle: ${key}}]\nsuites: [${FAKE_SUITE}]\n`);
    expect(run.verdict).toBe('pass');
    const { totals, attempts, without, files } = await farm.call('getBuildCoverage', { params: buildOf(run) });
    expect(without).toEqual([]);
    expect(attempts).toMatchObject([{ machine: 'v-switch', code: 24, ran: 17 }]);
    expect(totals).toEqual({ added: lines.length, code: 24, ran: 17, notBuilt: 0 });
    const missed = files[0]?.hunks[0]?.lines.flatMap(({ ran, text }) => (ran === 0 ? [text.trim()] : []));
    expect(missed).toContain('return x > 3 ? never(x) : x;');
    expect(await printed('coverage', run)).toMatch(/^branches\.c +47 +24 +17 +71 %$/m);
    expect(await printed('coverage', run, { markdown: true })).toContain('46: return x > 3 ? never(x) : x;');
    expect(await printed('report', run, { as: 'all' })).toContain('| branches.c | 47 | 24 | 17 | 71 % |');
    await expect(printed('mutants', run)).rejects.toThrow('carries mutants');
  });

  it('have mutants, which machines try without failing the run', async () => {
    const mutant = (number: number): Mutant => ({
      number,
      id: String(number).padStart(8, '0'),
      path: 'mm/hmm.c',
      line: number,
      kind: 'negate',
      function: 'walk',
      what: 'if (x) negated',
      state: 'built',
    });
    const list = { schema: 1, total: 3, mutants: [mutant(1), mutant(2), mutant(3)] };
    const key = await machineWith({ 'mutants.json': Buffer.from(JSON.stringify(list)) });
    lab.fake.answers.set('mutant-test', (channel, args) => {
      const isNoticed = args['mutant'] === 1 && args['test'] === 'F02.mixed_ranges';
      channel.write(`@reached 1,2,\n@kernel\n@output\n${isNoticed ? 'not ok' : 'ok'} 1 ${args['test']}\n`);
      channel.exit(0);
    });
    const run = await runOf(
      `name: mutants\nbuilds: [{name: b, bundle: ${key}, mutants: {minutes: 5}}]\nsuites: [${FAKE_SUITE}]\n`,
    );
    expect(run.verdict).toBe('pass');
    const { score, counts, mutants } = await farm.call('getBuildMutants', { params: buildOf(run) });
    expect(counts).toMatchObject({ killed: 1, alive: 1, 'not-reached': 1 });
    expect(score).toBe(33);
    expect(await printed('mutants', run)).toContain('Score 33 %: of 3 mutants tried 1 were killed');
    expect(await printed('report', run, { as: 'all' })).toContain('Score 33 %');
    expect(mutants.at(-1)).toMatchObject({
      state: 'killed',
      test: `${FAKE_SUITE}:F02.mixed_ranges`,
      machine: 'v-switch',
    });
  });
});
