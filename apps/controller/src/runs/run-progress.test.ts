import { standingText } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleResult } from '../testing/samples.js';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

it('a run says how far it is, and has no verdict before its end', async () => {
  const agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' });
  const { manifest } = await farm.bundle('progress');
  await farm.call('setMachine', { params: { machine: 'm2' }, body: { desired: 'drained', reason: 'new cables' } });
  const yaml = `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {each: true}\n`;
  const { id: run } = await farm.call('submitRun', { body: { yaml } });
  const look = async () => {
    const [listed] = await farm.call('listRuns', { query: { limit: 1 } });
    const detail = await farm.call('getRun', { params: { run } });
    expect(listed?.progress).toEqual(detail.progress);
    expect([listed?.verdict, detail.verdict]).toEqual([null, null]);
    return standingText(detail);
  };
  // The bundle names four tests, and there are two machines.
  const held = await agent.take('test');
  expect(await farm.until('the run runs', look, (text) => text.startsWith('running'))).toBe('running, 0 of 8');
  // One more test than the bundle knows.
  await agent.events(held, 0, { type: 'plan', suite: 'p2p-functional', tests: ['F01', 'F02', 'F03', 'F04'] });
  await agent.events(held, 1, { type: 'result', result: sampleResult('p2p-functional', 'F01') });
  expect(await look()).toBe('running, 1 of 9, no failure so far');
  await agent.events(held, 2, { type: 'result', result: sampleResult('p2p-functional', 'F02', { status: 'fail' }) });
  expect(await look()).toBe('running, 2 of 9, 1 fail so far');
  await agent.events(held, 3, { type: 'finished', failure: null, restored: true, lineCounts: {} });
  // What is left is on the drained machine.
  expect(await farm.until('nothing runs', look, (text) => !text.startsWith('running'))).toBe(
    'waiting, 5 of 9, 1 fail so far, m2 is drained; activate it to go on',
  );
  await farm.call('cancelRun', { params: { run } });
  const ended = await farm.call('getRun', { params: { run } });
  expect(ended).toMatchObject({ state: 'ended', verdict: 'fail', progress: null });
  agent.vanish();
});

it('a run whose only job waits for a drained machine is not called running, nor one that waits for a builder', async () => {
  const agent = await farm.agent({ m3: 'BUS_ADDR' }, { name: 'other', capabilities: ['test'] });
  await farm.call('setMachine', { params: { machine: 'm3' }, body: { desired: 'drained', reason: 'new cables' } });
  const { manifest } = await farm.bundle('drained');
  const select = 'machines: {names: [m3]}';
  const ready = await farm.call('submitRun', {
    body: { yaml: `name: r\nbuilds: [{name: b, bundle: ${manifest.key}}]\n${select}\n` },
  });
  expect(standingText(ready)).toBe('waiting, 0 of 4, m3 is drained; activate it to go on');
  const unbuilt = await farm.call('submitRun', {
    body: { yaml: `name: r\nbuilds: [{name: b, series: []}]\n${select}\n` },
  });
  expect(standingText(unbuilt)).toMatch(/^waiting, no connected agent has the capability "build"/);
  agent.vanish();
});
