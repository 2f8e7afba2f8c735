import type { HttpClient } from '@peerlab/client';
import type { HealthCheck, MachineHealth } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attemptsOf, awaitEnd, StartedFarm } from './started-farm.js';

const MACHINE = 'v-switch';
const BOOTS = 2;
/** The untouched kernel, or a disk image, where it is not stored; then boots of an emulated machine. */
const LIMIT_MS = 60 * 60_000;

/** A GPU that is lost, as NVIDIA's driver says it. */
const LOST_GPU = 'NVRM: Xid (PCI:0000:01:00): 79, pid=1, GPU has fallen off the bus.';
const RUN = JSON.stringify({
  name: 'tells of a lost GPU',
  builds: [{ name: 'base', series: [] }],
  suites: [{ name: 'xid', script: `echo '<3>${LOST_GPU}' >/dev/kmsg; echo ok`, limitSeconds: 60 }],
  machines: { names: [MACHINE] },
});

describe('a farm that checks the health of its machines', () => {
  let farm: StartedFarm;
  let client: HttpClient;

  beforeAll(async () => {
    const settings = { PEERLAB_HEALTH: `{ enabled: true, boots: ${BOOTS} }` };
    farm = await StartedFarm.start(['--no-run', '--machines', MACHINE], undefined, settings);
    await farm.said(/Ctrl-C stops it/, LIMIT_MS);
    client = await farm.client();
  }, LIMIT_MS);
  afterAll(() => farm?.remove());

  const health = (): Promise<MachineHealth> => client.call('getMachineHealth', { params: { machine: MACHINE } });
  const ended = (number: number): Promise<HealthCheck> =>
    farm.until(`the end of check ${number}`, LIMIT_MS, async () => {
      const check = (await health()).checks.find((each) => each.number === number);
      return check !== undefined && check.outcome !== null ? check : null;
    });

  it(
    'lets a new machine serve when it has booted a known kernel as often as asked',
    async () => {
      const before = await farm.until('what the machine lacks', LIMIT_MS, async () => {
        const now = await health();
        return now.unproven === null ? null : now;
      });
      expect(before).toMatchObject({ enabled: true, goodAt: null });

      const { id } = await client.call('submitRun', { body: { yaml: RUN } });
      // First for its build, which nothing keeps from running.
      await farm.until('a job that waits for the check of its machine', LIMIT_MS, async () => {
        const { jobViews } = await client.call('getRun', { params: { run: id } });
        const waiting = jobViews.find(({ kind }) => kind === 'test')?.waiting ?? '';
        return /health check|unproven/.test(waiting) ? waiting : null;
      });

      const check = await ended(1);
      expect(check).toMatchObject({ kind: 'required', boots: BOOTS, outcome: 'passed', detail: null });
      expect(await health()).toMatchObject({ unproven: null, suspects: 0 });
      const checked = await client.call('getRun', { params: { run: check.runId ?? '' } });
      const boots = (await attemptsOf(client, checked)).filter(({ results }) => results.length > 0);
      expect(boots).toHaveLength(BOOTS);
      for (const { kernels, results, restored } of boots) {
        expect(kernels.find(({ phase }) => phase === 'candidate')).toMatchObject({ proven: true });
        const golden = results.filter(({ suite }) => suite === 'golden');
        expect(golden.filter(({ verdict }) => verdict === 'pass').map(({ test }) => test)).toEqual(
          expect.arrayContaining([
            'provider_answers',
            'client_answers',
            'kernel_log',
            'memory_keeps',
            'processors_agree',
          ]),
        );
        expect(golden.filter(({ verdict }) => !['pass', 'skip'].includes(verdict))).toEqual([]);
        expect(restored).toBe(true);
      }

      // What waited runs now, and its kernel tells of trouble with the hardware: no failure of the test.
      expect((await awaitEnd(client, id, LIMIT_MS)).verdict).toBe('pass');
    },
    LIMIT_MS,
  );

  it(
    'holds a machine whose hardware raises an alarm, until it has passed a check again',
    async () => {
      const check = await ended(2);
      expect(check).toMatchObject({ kind: 'required', outcome: 'passed' });
      expect(check.reason).toMatch(/Xid 79/);
      expect((await health()).unproven).toBeNull();
      const alarms = await client.call('listMachineAlarms', { params: { machine: MACHINE } });
      expect(alarms.map(({ title }) => title)).toEqual([expect.stringMatching(/^Xid 79/)]);
    },
    LIMIT_MS,
  );
});
