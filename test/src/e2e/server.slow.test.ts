import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttemptDetail, LogLine, RunDetail } from '@peerlab/contracts';
import { attemptsOf, StartedFarm, wholeLog } from './started-farm.js';

/** A disk image, a kernel, and boots of a distribution's own kernel under emulation. */
const RUN_MS = 90 * 60_000;

describe('a virtual server, reached as a real one is: by SSH, its BMC and serial over LAN', () => {
  let farm: StartedFarm;
  let run: RunDetail;
  let attempt: AttemptDetail;
  let notes: LogLine[];
  let serial: LogLine[];

  beforeAll(async () => {
    farm = await StartedFarm.start(['--run', 'servers', '--machines', 's-uefi']);
    const [, id = ''] = await farm.said(/\/runs\/([0-9a-f-]{36})/, RUN_MS);
    const client = await farm.client();
    run = await farm.until('the end of the run', RUN_MS, async () => {
      const now = await client.call('getRun', { params: { run: id } });
      return now.state === 'ended' ? now : null;
    });
    const last = (await attemptsOf(client, run)).filter(({ kind }) => kind === 'test').at(-1);
    if (last === undefined) throw new Error(`no machine was tested:\n${farm.output}`);
    attempt = last;
    notes = await wholeLog(client, attempt.id, 'agent');
    serial = await wholeLog(client, attempt.id, 'serial');
  }, 2 * RUN_MS);
  afterAll(() => farm?.remove());

  const said = (pattern: RegExp): string[] => notes.map(({ text }) => text).filter((text) => pattern.test(text));

  it('makes an initramfs by the machine’s own tool, with what its root needs', () => {
    expect(said(/^flash: initramfs-tools made \/boot\/\S+-initrd\.img/), said(/^flash/).join('\n')).toHaveLength(1);
    const [root = ''] = said(/^flash: root /);
    expect(root).toMatch(/server-root \(ext4\)/);
    expect(root).toMatch(/in the initramfs .*\bnvme\b/);
    expect(root).toMatch(/\bdm_mod\b/);
    expect(root).toMatch(/\blvm\b/);
  });

  it('boots the candidate once, proves it and brings the server back', () => {
    const [participant] = attempt.participants;
    expect(participant?.kernels.find(({ phase }) => phase === 'candidate')?.proven).toBe(true);
    expect(participant?.restored).toBe(true);
  });

  it('hears the candidate by serial over LAN', () => {
    expect(serial.some(({ text }) => /Linux version .*-peerlab-[0-9a-f]{8}/.test(text))).toBe(true);
  });

  it('passes the suite', () => {
    const bad = attempt.results.filter(({ verdict }) => !['pass', 'skip'].includes(verdict));
    expect(bad.map(({ suite, test, verdict, reason }) => `${suite} ${test}: ${verdict} ${reason ?? ''}`)).toEqual([]);
    expect(attempt.results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(20);
    expect(run.verdict).toBe('pass');
  });
});
