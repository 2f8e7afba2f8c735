import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerPath } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import type { Session } from '../machine/protocols.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';
import { describeWay, parseWay, readWay, whyOtherUnderCandidate, whyOtherWay } from './way.js';

const path = (kind: PeerPath['kind']): PeerPath => ({
  provider: { address: '0000:03:00.0', model: 'p' },
  client: { address: '0000:04:00.0', model: 'c' },
  kind,
  distance: kind === 'NOT_SUPPORTED' ? null : 4,
  reason: '',
});

/** A configuration space with this ACS control register. */
function space(control: number): string {
  const bytes = Buffer.alloc(0x110);
  bytes.writeUInt32LE((1 << 16) | 0x000d, 0x100);
  bytes.writeUInt16LE(control, 0x106);
  return bytes.toString('hex');
}
const below = (port: string, end: string, acs = 0, mode = 'DMA-FQ'): string[] => [
  `@end 0 ${mode}`,
  `0000:00:01.0 ${space(0)}`,
  `0000:01:00.0 `,
  `${port} ${space(acs)}`,
  `${end} 00`,
];
const way = (acs = 0, port = '0000:02:01.0') =>
  parseWay([...below('0000:02:00.0', '0000:03:00.0', acs), ...below(port, '0000:04:00.0', 0, 'identity')].join('\n'));

describe('the way between two devices', () => {
  it('is read with the ACS control of each port and the mode of both IOMMU groups', () => {
    expect(way(0x1d).ends.map(({ iommuMode }) => iommuMode)).toEqual(['DMA-FQ', 'identity']);
    expect(describeWay(way(0x1d))).toBe(
      '0000:03:00.0: ACS control 0000:00:01.0 0x0, 0000:02:00.0 0x1d, IOMMU DMA-FQ; ' +
        '0000:04:00.0: ACS control 0000:00:01.0 0x0, 0000:02:01.0 0x0, IOMMU identity',
    );
  });

  it('is that of the plan, or another one by now', () => {
    expect(whyOtherWay(way(), path('BUS_ADDR'))).toBeNull();
    expect(whyOtherWay(way(0x1d), path('BUS_ADDR'))).toBe('ACS redirect at 0000:02:00.0');
    expect(whyOtherWay(way(0x1d), path('THRU_HOST_BRIDGE'))).toBeNull();
    expect(whyOtherWay(way(), path('NOT_SUPPORTED'))).toBe('both below bridge 0000:01:00.0');
    const apart = parseWay('@end 0 \n0000:00:01.0 \n0000:03:00.0 \n@end 1 \n0000:00:02.0 \n0000:04:00.0 \n');
    expect(whyOtherWay(apart, path('BUS_ADDR'))).toBe('no common bridge');
    expect(whyOtherWay(apart, path('NOT_SUPPORTED'))).toBeNull();
  });

  it('is the same under a candidate, but for how late its IOMMU flushes', () => {
    const under = (provider: string, client: string, acs = 0) =>
      parseWay(
        [
          ...below('0000:02:00.0', '0000:03:00.0', acs, provider),
          ...below('0000:02:01.0', '0000:04:00.0', 0, client),
        ].join('\n'),
      );
    const why = (now: ReturnType<typeof under>) =>
      whyOtherUnderCandidate(under('DMA-FQ', 'DMA-FQ'), now, path('BUS_ADDR'));
    expect(why(under('DMA', 'DMA'))).toBeNull();
    expect(why(under('DMA-FQ', 'identity'))).toBe('the IOMMU of 0000:04:00.0 is passthrough, not translated');
    expect(why(under('', ''))).toBe(
      'the IOMMU of 0000:03:00.0 is off, not translated, the IOMMU of 0000:04:00.0 is off, not translated',
    );
    expect(why(under('DMA', 'DMA', 0x1d))).toBe('ACS redirect at 0000:02:00.0');
  });

  it('is not believed of another device, nor of a machine that says anything', () => {
    for (const text of ['', '@end 0 DMA\n', '0000:03:00.0 00\n', '@end 0 x\n'.repeat(1e4), `@end 0 ${'x'.repeat(1e6)}`])
      expect(whyOtherWay(parseWay(text), path('BUS_ADDR'))).toContain('does not tell where');
  });

  it('is read by the shell of a machine', async () => {
    const root = '/sys/bus/pci/devices';
    const devices = existsSync(root) ? readdirSync(root) : [];
    const [provider = '', client = ''] = [devices[0], devices.at(-1)];
    const here = {
      exec: async (command: string) => {
        const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
        return { code: status, stdout, stderr, signal: null };
      },
    } as unknown as Session;
    const of = (one: string, other: string) =>
      readWay(
        here,
        { ...path('BUS_ADDR'), provider: { address: one, model: '' }, client: { address: other, model: '' } },
        new AbortController().signal,
      );
    await expect(of('0000:ff:1f.7', client)).rejects.toThrow('there is no PCI function 0000:ff:1f.7');
    await expect(of("0000:00:00.0'; echo", client)).rejects.toThrow('there is no PCI function');
    // A computer without PCI has nothing more to read.
    if (devices.length === 0) return;
    expect((await of(provider, client)).ends.map(({ functions }) => functions.at(-1)?.address)).toEqual([
      provider,
      client,
    ]);
  });
});

describe('an attempt', () => {
  let folder: string;
  let lab: FakeLab;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'peerlab-way-'));
    lab = await startFakeLab(folder, {});
  });
  afterEach(async () => {
    await lab.fake.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function run() {
    const assignment = lab.assign();
    const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
    const lease = { check: () => undefined };
    const stop = new AbortController().signal;
    const context = new AttemptContext(
      assignment,
      assignment.work,
      lab.machine,
      lab.bundles,
      spool,
      FAKE_PACE,
      stop,
      lease,
    );
    await runTestJob(context);
    const texts = spool
      .file('agent')
      .read(0, 1e5, 1e9)
      .flatMap((entry) => ('text' in entry ? [entry.text] : []));
    const events = spool
      .file('events')
      .read(0, 1e4, 1e9)
      .flatMap((entry) => ('event' in entry ? [entry.event] : []));
    const finished = events.find((event) => event.type === 'finished');
    if (finished?.type !== 'finished') throw new Error('the attempt did not finish');
    return { ...finished, notes: texts.join('\n'), context };
  }

  it('reads the ACS of the way before anything is written, and says it', async () => {
    lab.fake.iommuMode = 'DMA-FQ';
    const { failure, notes, context } = await run();
    expect(failure).toBeNull();
    expect(notes).toMatch(/prepare: \S+: ACS control \S+ 0x0, IOMMU DMA-FQ; /);
    expect(lab.fake.commands.indexOf('way')).toBeLessThan(lab.fake.commands.indexOf('grub-install'));
    expect(context.hasOtherHardware).toBe(false);
  });

  it('ends as the lab’s trouble where it is not what was planned, with nothing written, and has the inventory read again', async () => {
    lab.fake.redirects = true;
    const { failure, restored, context } = await run();
    expect(failure).toMatchObject({ class: 'infrastructure', stage: 'prepare' });
    expect(failure?.message).toMatch(/planned as BUS_ADDR, and is another one by now: ACS redirect at 0000:01:00\.0/);
    expect(restored).toBe(true);
    expect(lab.fake.commands).not.toContain('grub-install');
    expect(context.hasOtherHardware).toBe(true);
  });

  it('tests nothing under a candidate that leaves the IOMMU off where the machine’s own kernel has it on', async () => {
    lab.fake.iommuMode = 'DMA-FQ';
    lab.fake.iommuModeOfCandidate = '';
    const { failure, restored } = await run();
    expect(failure).toMatchObject({ class: 'infrastructure', stage: 'verify' });
    expect(failure?.message).toMatch(/: the IOMMU of \S+ is off, not translated.*; nothing was tested.*intel_iommu=on/);
    expect(restored).toBe(true);
    expect(lab.fake.commands).not.toContain('suite');
  });
});
