import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { growthOf } from '../../testing/growth.js';
import { readKernelAlarm } from '../crash.js';
import { ALARM_FORMS } from './kinds.js';
import { isHardwareCrash, readHardwareAlarm } from './read.js';

const FOLDER = fileURLToPath(new URL('../../../fixtures/hardware-alarms/', import.meta.url));

/** Each file: lines of a kernel, an alarm behind a tab where the line is one. `kind severity device title`. */
const files = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.tsv'))
  .toSorted();
const linesOf = (name: string): { line: string; expected: string }[] =>
  readFileSync(FOLDER + name, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [text = '', expected = ''] = line.split('\t');
      return { line: text, expected };
    });
const told = (line: string): string => {
  const alarm = readHardwareAlarm(line);
  return alarm === null ? '' : [alarm.kind, alarm.severity, alarm.device ?? '-', alarm.title].join(' | ');
};

describe('hardware alarms', () => {
  it.each(files)('are read as %s says', (name) => {
    const lines = linesOf(name);
    expect(lines.map(({ line }) => `${line}\t${told(line)}`)).toEqual(
      lines.map(({ line, expected }) => `${line}\t${expected}`),
    );
  });

  it('have an example of each form', () => {
    const all = files.flatMap(linesOf).map(({ line }) => line.replace(/^.*?\] ?/, ''));
    const missing = ALARM_FORMS.filter(({ form }) => !all.some((line) => form.test(line))).map(
      ({ form }) => form.source,
    );
    expect(missing).toEqual([]);
  });

  it('taint no test, but for errors of PCIe that were not corrected, which a wrong address brings about, too', () => {
    const alarms = files.flatMap(linesOf).filter(({ expected, line }) => expected !== '' && !line.includes('panic'));
    const isTainting = ({ expected }: { expected: string }): boolean =>
      /^pcie-(?:aer|dpc) \| uncorrected /.test(expected);
    expect(alarms.filter(isTainting).length).toBeGreaterThan(3);
    expect(alarms.filter(({ line }) => readKernelAlarm(line) !== null)).toEqual(alarms.filter(isTainting));
  });

  it('are read in all dialects of a log, and only in lines of a kernel', () => {
    const message = 'pcieport 0000:00:1c.0: DPC: containment event, status:0x1f01 source:0x0000';
    const record = `3,1234,5678901,-,caller=T7;${message}`;
    const journal = `Nov 30 10:00:00 gpu-1 kernel: ${message}`;
    for (const line of [`[   12.345678] ${message}`, `<3>[   12.345678][    C3] ${message}`, record, journal]) {
      expect(readHardwareAlarm(line), line).toMatchObject({ kind: 'pcie-dpc', device: '0000:00:1c.0' });
    }
    for (const line of [message, `# ${message}`, `Nov 30 10:00:00 gpu-1 sshd[12]: ${message}`]) {
      expect(readHardwareAlarm(line), line).toBeNull();
    }
  });

  it('take time in proportion to a line', async () => {
    const words = ALARM_FORMS.map(({ has }) => has).join(' 0000:01:00.0: ');
    const line = (size: number): string =>
      `[    1.000000] mlx5_core 0000:01:00.0: ${words.repeat(size / words.length + 1)}`.slice(0, size);
    expect((await growthOf(line, readHardwareAlarm)).perDoubling).toBeLessThan(3);
  });
});

it.each([
  ['kernel panic: Fatal machine check', true],
  ['kernel panic: Fatal local machine check', true],
  ['kernel panic: Machine check from unknown source', true],
  ['kernel panic: Attempted to kill init!', false],
  ['KASAN: slab-use-after-free Read in machine_check', false],
  ['WARNING in machine check', false],
])('%s is the hardware’s: %s', (title, expected) => {
  expect(isHardwareCrash(title)).toBe(expected);
});
