import { HealthPolicy, type AttemptEvent, type TestResult } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { sampleResult } from '../testing/samples.js';
import { InjectedPages, mergeAlarms, StreamAlarms } from './found-alarms.js';

const DPC = '[   31.100000] pcieport 0000:00:1c.0: DPC: containment event, status:0x1f01 source:0x0000';
const CORRECTED = '[   31.200000] pcieport 0000:00:1c.0: AER: Corrected error received: 0000:05:00.0';

describe('the alarms of a stream', () => {
  const found = (stream: 'serial' | 'kernel' | 'test', texts: readonly string[], atMs = 1000) => {
    const alarms = new StreamAlarms(stream, new InjectedPages());
    for (const [seq, text] of texts.entries()) alarms.push({ seq, at: atMs + seq, text });
    return alarms.end();
  };

  it('are counted by what they say, and the first is named; under every kernel, and not in the output of tests', () => {
    const lines = ['[    0.000000] Linux version 6.1.0 (debian)', CORRECTED, 'quiet', CORRECTED, DPC];
    expect(found('serial', lines)).toMatchObject([
      { kind: 'pcie-aer', severity: 'corrected', device: '0000:05:00.0', stream: 'serial', line: 1, times: 2 },
      { kind: 'pcie-dpc', severity: 'uncorrected', line: 4, times: 1, atMs: 1004 },
    ]);
    expect(found('test', lines)).toEqual([]);
  });

  it('of two streams are one: the fuller record, those first that nothing corrected', () => {
    const serial = found('serial', [CORRECTED]);
    const kernel = found('kernel', [CORRECTED, CORRECTED, DPC], 2000);
    expect(mergeAlarms([serial, kernel]).map(({ kind, stream, times }) => [kind, stream, times])).toEqual([
      ['pcie-dpc', 'kernel', 1],
      ['pcie-aer', 'kernel', 2],
    ]);
  });

  it('are bounded, and what is urgent is never cut off', () => {
    const many = Array.from({ length: 150 }, (_, n) => CORRECTED.replace('05:00.0', `${(n + 16).toString(16)}:00.0`));
    const merged = mergeAlarms([found('serial', many), found('kernel', [DPC], 9000)]);
    expect(merged).toHaveLength(100);
    expect(merged[0]?.kind).toBe('pcie-dpc');
  });
});

describe('memory that failed', () => {
  const failed = (page: string, what = 'dirty LRU page: Recovered') =>
    `[   99.702801] Memory failure: ${page}: recovery action for ${what}`;
  /** As madvise(MADV_HWPOISON) says it; a quiet console does not show it. */
  const injected = (page: string) =>
    `[   99.683893] Injecting memory failure for pfn ${page} at process virtual address 0x7f9029601000`;
  const ofStreams = (serial: readonly string[], kernel: readonly string[]) => {
    const pages = new InjectedPages();
    const streams = (['serial', 'kernel'] as const).map((stream) => new StreamAlarms(stream, pages));
    for (const [index, texts] of [serial, kernel].entries())
      for (const [seq, text] of texts.entries()) streams[index]?.push({ seq, at: 1000 + seq, text });
    return mergeAlarms(streams.map((each) => each.end())).map(({ title, line, times }) => [title, line, times]);
  };

  it('because a program wanted it says nothing about the hardware, in whichever stream it is told', () => {
    const kernel = [
      injected('0xb1c1'),
      failed('0xb1c1'),
      '[  100.0] Injecting memory failure at pfn 0xb2',
      failed('0xb2'),
    ];
    expect(ofStreams([failed('0xb1c1'), failed('0xb2')], kernel)).toEqual([]);
  });

  it('by itself beside one that was wanted is an alarm, with its own line', () => {
    const kernel = [
      injected('0xb1c1'),
      failed('0xb1c1'),
      failed('0xb1c12'),
      failed('0xc0'),
      failed('0xc0', 'huge page: Failed'),
    ];
    expect(ofStreams([], kernel)).toEqual([
      ['memory failure in a dirty LRU page: recovered', 2, 2],
      ['memory failure in a huge page: failed', 4, 1],
    ]);
  });

  it('is not excused by what a program prints, nor by more pages than are kept', () => {
    const printed = 'Injecting memory failure for pfn 0xb1c1 at process virtual address 0x7f';
    expect(ofStreams([printed], [failed('0xb1c1')])).toHaveLength(1);
    const pages = Array.from({ length: 5000 }, (_, n) => `0x${(n + 4096).toString(16)}`);
    expect(ofStreams([], pages.map(injected).concat(pages.map((page) => failed(page))))).toEqual([
      ['memory failure in a dirty LRU page: recovered', 9096, 904],
    ]);
  });
});

describe('hardware alarms of attempts', () => {
  let farm: TestFarm;
  let agent: FakeAgent;
  let key: string;
  beforeAll(async () => {
    farm = await TestFarm.start({ health: HealthPolicy.parse({ enabled: true, template: 'absent' }) });
    agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'THRU_HOST_BRIDGE' });
    await farm.sql.run('update machine set unproven = null, unproven_at = null');
    key = (await farm.bundle('alarms')).manifest.key;
  });
  afterAll(async () => {
    agent.vanish();
    await farm.stop();
  });

  /** An attempt on the machine with these lines on its console; all its tests pass. */
  async function attemptOn(machine: string, lines: string[]): Promise<string> {
    const yaml = `name: alarms\nbuilds: [{name: b, bundle: ${key}}]\nsuites: [p2p-functional]\nmachines: {names: [${machine}]}\n`;
    await farm.call('submitRun', { body: { yaml } });
    const work = await agent.take('test');
    await agent.log(work, 'serial', 0, lines);
    const results = ['F01', 'F02', 'F03'].map((test): TestResult => sampleResult('p2p-functional', test));
    const finished: AttemptEvent = { type: 'finished', failure: null, restored: true, lineCounts: {} };
    await agent.events(work, 0, ...results.map((result) => ({ type: 'result' as const, result })), finished);
    return work.attemptId;
  }
  const alarmsOf = (attempt: string) =>
    farm.until(
      `the search of ${attempt}`,
      () => farm.call('listAttemptAlarms', { params: { attempt } }),
      ({ pending }) => !pending,
    );
  const machine = (name: string) => farm.call('getMachine', { params: { machine: name } });

  it('that were corrected are shown, and change nothing', async () => {
    const attempt = await attemptOn('m2', ['quiet', CORRECTED, CORRECTED]);
    expect((await alarmsOf(attempt)).alarms).toMatchObject([
      { severity: 'corrected', times: 2, stream: 'serial', line: 1, role: 'main', attemptId: attempt },
    ]);
    expect(await machine('m2')).toMatchObject({ unproven: null });
  });

  it('that nothing corrected hold the machine, and neither fail a test nor are a crash', async () => {
    const attempt = await attemptOn('m1', [CORRECTED, DPC]);
    const { alarms } = await alarmsOf(attempt);
    expect(alarms.map(({ severity, title }) => [severity, title])).toEqual([
      ['uncorrected', 'DPC: containment event'],
      ['corrected', 'AER: Corrected error'],
    ]);
    expect((await machine('m1')).unproven).toBe(
      `hardware alarm in attempt ${attempt}: DPC: containment event (0000:00:1c.0)`,
    );
    const { run, results } = await farm.call('getAttempt', { params: { attempt } });
    expect(results.map(({ verdict }) => verdict)).toEqual(['pass', 'pass', 'pass']);
    expect((await farm.call('getRun', { params: { run: run.id } })).verdict).toBe('pass');
    expect((await farm.call('listAttemptCrashes', { params: { attempt } })).crashes).toEqual([]);
    const ofMachine = await farm.call('listMachineAlarms', { params: { machine: 'm1' } });
    expect(ofMachine).toHaveLength(2);
    expect(ofMachine.every(({ attemptId }) => attemptId === attempt)).toBe(true);
  });

  it('of one attempt hold the machine once, however often its logs are searched', async () => {
    await farm.sql.run(`update machine set unproven = null, unproven_at = null`);
    const [row] = await farm.sql.rows<{ id: string }>('select participant_id as id from hardware_alarm limit 1');
    await farm.sql.run('insert into crash_search (participant_id) values ($1)', [row?.id]);
    await alarmsOf(row?.id ?? '');
    expect((await machine('m1')).unproven).toBeNull();
  });

  it('of an attempt and of a machine that nobody knows are a 404', async () => {
    const attempt = '00000000-0000-4000-8000-000000000000';
    expect((await farm.request('listAttemptAlarms', { params: { attempt } })).status).toBe(404);
    expect((await farm.request('listMachineAlarms', { params: { machine: 'm9' } })).status).toBe(404);
  });
});
