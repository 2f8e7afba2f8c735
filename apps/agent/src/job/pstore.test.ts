import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dumpList } from './kdump.js';
import { newRecords, pstoreList } from './pstore.js';

describe('the lists of what crashes left, as a machine makes them', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'peerlab-test-pstore-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** @param at when it was last written, in seconds since 1970 */
  const put = (name: string, at: number): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), 'x');
    utimesSync(join(folder, name), at, at);
  };
  const list = (script: string): string[] =>
    execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\n').slice(0, -1);
  /** Newer than all others, of names that nothing of the machine's own gives. */
  const flood = (place: string): void => {
    for (let each = 0; each < 600; each += 1) put(`${place}/${'x'.repeat(200)}-dmesg-${each}`, 2e9);
  };

  it('are of the firmware and of where systemd moved it, the newest first, whatever else lies there', () => {
    put('sys/dmesg-efi_pstore-170000000001001', 2000);
    put('sys/dmesg-erst-1.enc.z', 4000);
    put('archive/179630205/001/dmesg.txt', 3000);
    put('archive/console-ramoops-0', 1000);
    put('archive/a/dmesg.txt', 5000);
    put('archive/dmesg.txt', 5000);
    symlinkSync(join(folder, 'sys'), join(folder, 'archive/17'));
    flood('archive');
    expect(list(pstoreList(join(folder, 'sys'), join(folder, 'archive')))).toEqual([
      'dmesg-erst-1.enc.z',
      'systemd/179630205/001/dmesg.txt',
      'dmesg-efi_pstore-170000000001001',
      'systemd/console-ramoops-0',
    ]);
    expect(list(pstoreList(join(folder, 'none'), join(folder, 'none either')))).toEqual([]);
  });

  it('are of logs that kdump saved, the newest first, whatever else lies there', () => {
    put('crash/202611010101/dmesg.202611010101', 1000);
    put('crash/127.0.0.1-2026-12-01-10:00:00/vmcore-dmesg.txt', 2000);
    put('crash/202611010101/vmcore', 3000);
    flood('crash/x');
    expect(list(dumpList(join(folder, 'crash')))).toEqual([
      '127.0.0.1-2026-12-01-10:00:00/vmcore-dmesg.txt',
      '202611010101/dmesg.202611010101',
    ]);
  });
});

describe('newRecords', () => {
  it('is every record in the firmware that was not there before, the oldest first', () => {
    const found = ['dmesg-erst-3', 'dmesg-erst-2', 'console-ramoops-0'];
    expect(newRecords(found, ['console-ramoops-0'])).toEqual([
      { file: 'dmesg-erst-2', files: ['dmesg-erst-2'] },
      { file: 'dmesg-erst-3', files: ['dmesg-erst-3'] },
    ]);
  });

  it('is one for the parts that systemd has put together, and one for each that it has not', () => {
    const crash = ['systemd/18/001/dmesg.txt', 'systemd/18/001/dmesg-efi-1801001', 'systemd/18/001/dmesg-efi-1802001'];
    expect(newRecords([...crash, 'systemd/dmesg-erst-2', 'systemd/17/dmesg-erst-1'], [])).toEqual([
      { file: 'systemd/17/dmesg-erst-1', files: ['systemd/17/dmesg-erst-1'] },
      { file: 'systemd/dmesg-erst-2', files: ['systemd/dmesg-erst-2'] },
      { file: 'systemd/18/001/dmesg.txt', files: [...crash].reverse() },
    ]);
  });

  it('is none of what was in the firmware before and has been moved since', () => {
    const moved = ['systemd/18/dmesg.txt', 'systemd/18/dmesg-efi-1801001', 'systemd/dmesg-erst-1'];
    expect(newRecords(moved, ['dmesg-efi-1801001', 'dmesg-erst-1'])).toEqual([]);
  });

  it('takes a part that came to a crash of before by itself: what was put together holds both', () => {
    const found = ['systemd/18/dmesg-efi-1802001', 'systemd/18/dmesg.txt', 'systemd/18/dmesg-efi-1801001'];
    expect(newRecords(found, ['systemd/18/dmesg-efi-1801001'])).toEqual([
      { file: 'systemd/18/dmesg-efi-1802001', files: ['systemd/18/dmesg-efi-1802001'] },
    ]);
  });

  it('is nothing where nothing came', () => {
    const found = ['systemd/18/dmesg.txt', 'systemd/18/dmesg-efi-1801001', 'dmesg-erst-1'];
    expect(newRecords(found, found)).toEqual([]);
  });
});
