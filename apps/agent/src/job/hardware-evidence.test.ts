import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { describeErrors } from './device-errors.js';
import { runTestJob } from './test-job.js';

let folder: string;
let lab: FakeLab;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-test-evidence-'));
  lab = await startFakeLab(folder);
});
afterEach(async () => {
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function run(): Promise<{ notes: string; events: AttemptEvent[] }> {
  const assignment = lab.assign();
  const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const [stop, lease] = [new AbortController().signal, { check: () => undefined }];
  const { machine, bundles } = lab;
  await runTestJob(new AttemptContext(assignment, assignment.work, machine, bundles, spool, FAKE_PACE, stop, lease));
  const events = spool.file('events').read(0, 10_000, 1e9);
  const lines = spool.file('agent').read(0, 100_000, 1e9);
  return {
    events: events.flatMap((entry) => ('event' in entry ? [entry.event] : [])),
    notes: lines.flatMap((entry) => ('text' in entry ? [entry.text] : [])).join('\n'),
  };
}

describe('what firmware and devices say of an attempt', () => {
  it('is what was counted while the tests ran, not before', async () => {
    lab.fake.deviceErrors = ['0000:03:00.0 aer_dev_correctable 7', '0000:03:00.0 aer_dev_correctable 9'];
    const { notes } = await run();
    expect(notes).toContain('errors that devices counted during the tests: 0000:03:00.0 aer_dev_correctable +2');
  });

  it('is a file with the words of a crash, which goes from the firmware; older records stay', async () => {
    lab.fake.pstore.set('dmesg-efi_pstore-170000000001001', 'of another crash');
    lab.fake.onCandidateUp = ({ pstore }) => void pstore.set('dmesg-efi_pstore-180000000001001', 'Oops#1 Part1');
    const { notes, events } = await run();
    expect(notes).toContain('the firmware holds records of an earlier crash: dmesg-efi_pstore-170000000001001');
    expect(events.flatMap((event) => (event.type === 'file' ? [event.file] : []))).toMatchObject([
      { suite: 'farm', name: 'pstore-dmesg-efi_pstore-180000000001001', sizeBytes: 12 },
    ]);
    expect([...lab.fake.pstore.keys()]).toEqual(['dmesg-efi_pstore-170000000001001']);
    expect(events.at(-1)).toMatchObject({ type: 'finished', restored: true });
  });

  it('is all parts of a crash in one file where systemd moved them from the firmware, and they go from there', async () => {
    const old = ['dmesg-efi-170000000001001', 'systemd/1600000000/dmesg.txt'];
    for (const file of old) lab.fake.pstore.set(file, 'of another crash');
    lab.fake.onCandidateUp = ({ pstore }) => {
      // The boot of the candidate moves what was still in the firmware, too.
      pstore.delete('dmesg-efi-170000000001001');
      for (const file of ['systemd/1700000000/dmesg-efi-170000000001001', 'systemd/1700000000/dmesg.txt'])
        pstore.set(file, 'of another crash');
      for (const part of ['02', '01']) pstore.set(`systemd/1800000000/dmesg-efi-1800000000${part}001`, `Part${part}`);
      pstore.set('systemd/1800000000/dmesg.txt', 'Oops#1 Part02 Part01');
      pstore.set('systemd/../../../etc/shadow', 'not of a crash');
    };
    const { notes, events } = await run();
    expect(notes).toContain('the firmware holds records of an earlier crash: dmesg-efi-170000000001001\n');
    expect(notes).toContain(
      'a crash left 20 bytes in the firmware; they stand under Files as pstore-1800000000-dmesg.txt',
    );
    expect(events.flatMap((event) => (event.type === 'file' ? [event.file] : []))).toMatchObject([
      { suite: 'farm', name: 'pstore-1800000000-dmesg.txt', sizeBytes: 20 },
    ]);
    expect([...lab.fake.pstore.keys()]).toEqual([
      'systemd/1600000000/dmesg.txt',
      'systemd/1700000000/dmesg-efi-170000000001001',
      'systemd/1700000000/dmesg.txt',
      'systemd/../../../etc/shadow',
    ]);
  });

  it('is the log of a crash that kdump saved; dumps stay, and those of before are not this attempt’s', async () => {
    lab.fake.dumps.set('202611010101/dmesg.202611010101', 'of another crash');
    lab.fake.onCandidateUp = ({ dumps }) => {
      dumps.set('202612010101/dmesg.202612010101', 'Oops');
      dumps.set('../etc/dmesg.txt', 'no name of a crash');
    };
    const { notes, events } = await run();
    expect(notes).toContain(
      'kdump saved a crash in /var/crash/202612010101 of v-switch, 2.0 MiB in all; its log stands under',
    );
    expect(events.flatMap((event) => (event.type === 'file' ? [event.file] : []))).toMatchObject([
      { suite: 'farm', name: 'kdump-202612010101-dmesg.202612010101', sizeBytes: 4 },
    ]);
    expect(lab.fake.dumps.size).toBe(3);
  });

  it('costs the attempt nothing when it cannot be read', async () => {
    for (const purpose of ['pstore-list', 'kdump-list', 'device-errors'])
      lab.fake.answers.set(purpose, (channel) => {
        channel.writeError('no such thing');
        channel.exit(1);
      });
    const { events, notes } = await run();
    expect(notes).toContain('the counters of device errors could not be read');
    expect(events.at(-1)).toMatchObject({ type: 'finished', failure: null, restored: true });
  });
});

describe('describeErrors', () => {
  it('names what grew, and nothing else', () => {
    expect(describeErrors({ 'a x': 1 }, { 'a x': 1 })).toBeNull();
    expect(describeErrors({ 'a x': 1 }, { 'a x': 4, 'b y': 2 })).toBe('a x +3, b y +2');
  });
});
