import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttemptDetail, RunDetail } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attemptsOf, awaitEnd, StartedFarm, wholeLog } from '../e2e/started-farm.js';
import { differenceFrom } from './gaps.js';

/** The first kernel build of a computer, and every attempt twice. */
const RUN_MS = 40 * 60_000;
/** Loses its power in the middle of its tests. */
const STRUCK = 'v-switch';
/** Keeps running while agent, controller and Postgres are killed. */
const OTHER = 'v-amd-roots';

const RUN = `
name: everything is killed once
builds:
  - name: patched
    series: [bundled]
suites: [p2p-functional]
machines: { names: [${STRUCK}, ${OTHER}] }
`;

describe('a run on real kernels while QEMU, agent, lab, Postgres and controller are killed', () => {
  let farm: StartedFarm;
  let run: RunDetail;
  let attempts: AttemptDetail[];

  /** Waits until this attempt of the machine is in a stage. */
  async function reached(id: string, machine: string, stage: string, number: number): Promise<void> {
    const client = await farm.client();
    await farm.until(`${stage} of attempt ${number} on ${machine}`, RUN_MS, async () => {
      const { jobViews, state } = await client.call('getRun', { params: { run: id } });
      if (state === 'ended') throw new Error(`the run ended before ${stage} on ${machine}:\n${farm.output}`);
      const found = jobViews.find((job) => job.machine === machine)?.attempts[number - 1];
      return found?.stages.some((view) => view.stage === stage) === true ? found : null;
    });
  }

  beforeAll(async () => {
    farm = await StartedFarm.start(['--no-run', '--machines', `${STRUCK},${OTHER}`]);
    await farm.said(/Ctrl-C stops it/, RUN_MS);
    const { id } = await (await farm.client()).call('submitRun', { body: { yaml: RUN } });
    await reached(id, STRUCK, 'test', 1);
    await kill(farm, `lab/${STRUCK}/qemu.json`);
    await reached(id, OTHER, 'test', 1);
    await kill(farm, 'run/agent.json');
    await kill(farm, 'run/lab.json');
    await reached(id, OTHER, 'test', 2);
    process.kill(
      Number((await readFile(join(farm.stateDir, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0]),
      'SIGKILL',
    );
    await kill(farm, 'run/controller.json');
    await farm.until('the controller again', RUN_MS, async () => {
      const client = await farm.client();
      return client.call('getRun', { params: { run: id } }).catch(() => null);
    });
    run = await awaitEnd(await farm.client(), id, RUN_MS);
    attempts = (await attemptsOf(await farm.client(), run)).filter(({ kind }) => kind === 'test');
  }, 2 * RUN_MS);
  afterAll(async () => farm?.remove());

  it('never takes an attempt that was struck for a pass, and finishes the job of the machine that was not', () => {
    const first = (machine: string) => attempts.find((one) => one.machine === machine && one.number === 1);
    // A machine that lost its power looks like one whose kernel reset it; only a pass would be wrong.
    expect(first(STRUCK)?.failure).not.toBeNull();
    expect(first(OTHER)?.failure).toMatchObject({ class: 'infrastructure' });
    const job = run.jobViews.find(({ machine }) => machine === OTHER);
    expect(job).toMatchObject({ state: 'ended', verdict: 'pass' });
    expect(attempts.filter(({ machine }) => machine === OTHER).at(-1)).toMatchObject({ failure: null, restored: true });
  });

  it('holds every line once, in order, as many as the agent produced', async () => {
    const client = await farm.client();
    for (const attempt of attempts) {
      for (const { stream, expected } of attempt.streams) {
        const lines = await wholeLog(client, attempt.id, stream);
        const name = `${attempt.machine} attempt ${attempt.number} ${stream}`;
        expect(
          lines.findIndex(({ seq }, index) => seq !== index),
          name,
        ).toBe(-1);
        expect(lines.length, name).toBe(expected);
      }
    }
  });

  it('stored consoles exactly as the machines wrote them', async () => {
    const client = await farm.client();
    for (const attempt of attempts) {
      const written = (await readFile(join(farm.stateDir, `lab/${attempt.machine}/console.log`), 'utf8')).split('\n');
      const stored = (await wholeLog(client, attempt.id, 'serial')).map(({ text }) => text);
      const booted = stored.findIndex((line) => line.includes('peerlab.nonce='));
      expect(booted, `${attempt.machine} attempt ${attempt.number}`).toBeGreaterThan(-1);
      // The recording may begin and end within a line.
      const difference = differenceFrom(
        written.map((line) => line.replace(/\r+$/, '')),
        stored.slice(1, -1),
        (line) => line === stored[booted],
      );
      expect(difference, `${attempt.machine} attempt ${attempt.number}`).toBeNull();
    }
  });

  it('brought both machines back to the kernel that they came with', async () => {
    const client = await farm.client();
    for (const machine of [STRUCK, OTHER]) {
      // A machine that came back is seen by the fleet watch a little later.
      await farm.until(`${machine} on its own kernel`, RUN_MS, async () => {
        const view = await client.call('getMachine', { params: { machine } });
        return view.problem === null && view.lease === null ? view : null;
      });
      expect(attempts.filter((one) => one.machine === machine).at(-1)?.restored, machine).toBe(true);
    }
  });
});

async function kill(farm: StartedFarm, processFile: string): Promise<void> {
  const { pid } = JSON.parse(await readFile(join(farm.stateDir, processFile), 'utf8')) as { pid: number };
  process.kill(pid, 'SIGKILL');
}
