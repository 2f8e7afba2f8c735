import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FirmwareTime } from './firmware-time.js';
import { MachineRecords } from './machine-record.js';

let folder: string;
let records: MachineRecords;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-firmware-'));
  records = new MachineRecords(folder);
});
afterEach(() => rmSync(folder, { recursive: true }));

const firmware = (configuredMs = 900_000): FirmwareTime =>
  new FirmwareTime('epyc-1', configuredMs, records, () => undefined);

describe('the time for the firmware', () => {
  it('is what is configured before anything is known, and without records', () => {
    expect(firmware().allowanceMs).toBe(900_000);
    expect(new FirmwareTime('epyc-1', 20_000, null, () => undefined).allowanceMs).toBe(20_000);
  });

  it('is half as much again as the longest boot of the enrolment, where that is less', () => {
    records.update('epyc-1', { enrolledBootMs: 60_000, firmwareMs: [1, 2, 3, 4] });
    expect(firmware().allowanceMs).toBe(90_000);
    expect(firmware(20_000).allowanceMs).toBe(20_000);
    records.update('epyc-1', { enrolledBootMs: 700_000 });
    expect(firmware().allowanceMs).toBe(900_000);
    records.update('epyc-1', { enrolledBootMs: 2_000 });
    expect(firmware().allowanceMs).toBe(30_000);
  });

  it('is learnt after five boots, whatever the enrolment saw', () => {
    records.update('epyc-1', { enrolledBootMs: 60_000, firmwareMs: [1, 2, 3, 4, 5] });
    expect(firmware().allowanceMs).toBe(30_000);
    records.update('epyc-1', { firmwareMs: [100_000, 200_000, 150_000, 120_000, 110_000] });
    expect(firmware().allowanceMs).toBe(300_000);
  });

  it('forgets slow boots of long ago, also where an older agent has remembered them', () => {
    const later = [50_000, 40_000, 50_000, 60_000, 50_000, 40_000, 50_000, 40_000];
    records.update('epyc-1', { firmwareMs: [880_000, ...later] });
    expect(firmware().allowanceMs).toBe(90_000);
    firmware().learn(100_000);
    expect(records.read('epyc-1').firmwareMs).toEqual([...later.slice(1), 100_000]);
  });
});
