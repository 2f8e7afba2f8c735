import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttemptDetail } from '@peerlab/contracts';
import { attemptsOf, runToTheEnd, StartedFarm } from './started-farm.js';

/** One kernel to build, where it is not stored, and one job of two emulated machines. */
const RUN_MS = 30 * 60_000;

describe('two machines of the virtual lab that two agents have', () => {
  let farm: StartedFarm;
  let attempts: AttemptDetail[];

  beforeAll(async () => {
    farm = await StartedFarm.start(['--no-run', '--agents', '2', '--machines', 'v-pair-a,v-pair-b']);
    await farm.said(/Ctrl-C stops it/, RUN_MS);
    const client = await farm.client();
    const yaml = `name: two agents
builds: [{name: patched, series: [bundled]}]
suites: [p2p-rdma-pair]
machines: {labels: {set: pair}}
roles: [{name: server}, {name: client}]
relation: {sameLabels: [pair]}
`;
    const run = await runToTheEnd(client, yaml, RUN_MS);
    attempts = (await attemptsOf(client, run)).filter(({ kind }) => kind === 'test');
  }, 2 * RUN_MS);
  afterAll(() => farm?.remove());

  it('meet over the controller and pass, each kept and restored by its own agent', () => {
    expect(attempts).toHaveLength(1);
    for (const { participants, results } of attempts) {
      expect(participants.map(({ agent }) => agent).toSorted()).toEqual(['lab', 'lab-2']);
      for (const { role, restored, clock } of participants) {
        expect(restored, role).toBe(true);
        // Both run on one computer.
        expect(Math.abs(clock?.offsetMs ?? Number.NaN), role).toBeLessThan(5_000);
      }
      const bad = results.filter(({ verdict }) => !['pass', 'skip'].includes(verdict));
      expect(bad.map(({ role, test, verdict, reason }) => `${role} ${test}: ${verdict} ${reason ?? ''}`)).toEqual([]);
      const passed = results.filter(({ suite, verdict }) => suite === 'p2p-rdma-pair' && verdict === 'pass');
      expect(new Set(passed.map(({ role }) => role))).toEqual(new Set(['server', 'client']));
    }
  });
});
