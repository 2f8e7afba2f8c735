import type { PathRule } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleInventory, sampleResult } from '../testing/samples.js';

let farm: TestFarm;
let agent: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start();
  // One for each kernel: a machine on which several fail in a row is looked at first.
  const names = ['no-rule', 'listed', 'changed', 'same'];
  agent = await farm.agent(Object.fromEntries(names.map((name) => [name, 'NOT_SUPPORTED'])));
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
});

const proof = (taken: string, alias: number, more: object = {}) => ({
  test: 'F01',
  expected: 'peer' as const,
  taken,
  detail: { 'alias pages': alias, 'RAM pages': 4 - alias },
  ...more,
});

/** Tests one bundle with this rule on the machine of this name: F01 through RAM, F02 and F03 from device to device. */
async function tested(name: string, pathRule?: PathRule) {
  const { manifest } = await farm.bundle(name, true, pathRule === undefined ? {} : { pathRule });
  const yaml = `name: ${name}\nbuilds: [{name: b, bundle: ${manifest.key}}]\nsuites: [p2p-functional]\nmachines: {names: [${name}]}\n`;
  await farm.call('submitRun', { body: { yaml } });
  const attempt = await agent.take('test');
  const result = (test: string, taken: string, alias: number, more: object = {}) => ({
    type: 'result' as const,
    result: sampleResult('p2p-functional', test, { proof: proof(taken, alias, more) }),
  });
  await agent.events(
    attempt,
    0,
    result('F01', 'ram', 0, { predicted: 'BUS_ADDR' }),
    result('F02', 'THRU_HOST_BRIDGE', 4),
    result('F03', 'THRU_HOST_BRIDGE', 0),
    { type: 'finished', failure: null, restored: true, lineCounts: {} },
  );
  const detail = await farm.call('getAttempt', { params: { attempt: attempt.attemptId } });
  return {
    prediction: detail.participants[0]?.prediction,
    verdicts: detail.results.map(({ verdict }) => verdict),
    predicted: detail.results.map(({ proof: of }) => (of !== null && 'predicted' in of ? of.predicted : undefined)),
    kind: detail.combination?.identity.pathKind,
  };
}

describe('the path that a kernel is judged by', () => {
  const { functions } = sampleInventory('NOT_SUPPORTED');
  const first = functions.find(({ address }) => address === '0000:00:00.0');
  const listed = { vendor: first?.vendor ?? '', device: first?.device ?? null, sameOnly: false };

  it('is that of the combination where the bundle tells no rule, whatever an agent says of it', async () => {
    expect(await tested('no-rule')).toEqual({
      prediction: null,
      verdicts: ['pass', 'fail', 'fail'],
      predicted: [undefined, undefined, undefined],
      kind: 'NOT_SUPPORTED',
    });
  });

  it('is that of the table of its own source, on the same combination', async () => {
    const seen = await tested('listed', { hostBridges: [listed], changed: [] });
    expect(seen.prediction).toMatchObject({ kind: 'THRU_HOST_BRIDGE' });
    expect(seen.prediction?.reason).toContain("on the kernel's list");
    expect(seen.verdicts).toEqual(['bounced', 'pass', 'bounced']);
    expect(seen.predicted).toEqual(Array(3).fill('THRU_HOST_BRIDGE'));
    expect(seen.kind).toBe('NOT_SUPPORTED');
  });

  it('is none where the source changes the rule: no way is a failure then, and counters count', async () => {
    const changed = [{ what: 'cpu', why: 'cpu_supports_p2pdma() is not as the farm knows it' }];
    const seen = await tested('changed', { hostBridges: [], changed });
    expect(seen.prediction).toMatchObject({ kind: null });
    expect(seen.prediction?.reason).toContain('cpu_supports_p2pdma() is not as the farm knows it');
    expect(seen.verdicts).toEqual(['skip', 'pass', 'bounced']);
    expect(seen.predicted).toEqual(Array(3).fill('unknown'));
  });

  it('stays that of the combination where the changed part does not matter', async () => {
    const seen = await tested('same', {
      hostBridges: [{ vendor: '8086', device: '2030', sameOnly: false }],
      changed: [],
    });
    expect(seen).toMatchObject({ prediction: null, verdicts: ['pass', 'fail', 'fail'] });
  });
});
