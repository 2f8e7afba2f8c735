import { describe, expect, it } from 'vitest';
import { newRecords } from './pstore.js';

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
