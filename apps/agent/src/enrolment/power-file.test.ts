import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BmcConfig } from '../machine/bmc.js';
import { readPowerFile } from './power-file.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-power-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const bmcs = {
  x: BmcConfig.parse({ protocol: 'ipmi', host: '10.0.0.7', user: 'lab', passwordFile: 'p' }),
};
const read = (text: string): ReturnType<typeof readPowerFile> => {
  const file = join(folder, 'power.yaml');
  writeFileSync(file, text);
  return readPowerFile(file, { bmcs });
};
const OUTLET = { driver: 'command', on: ['pdu', 'on'], off: ['pdu', 'off'] };
const LIST = '- {driver: ipmi, bmc: x}\n- driver: command\n  on: [pdu, "on"]\n  off: [pdu, "off"]\n';

it('is one way or a list, with or without the word above it', () => {
  expect(read('driver: command\non: [pdu, "on"]\noff: [pdu, "off"]\n')).toEqual(OUTLET);
  expect(read('power: {driver: ipmi, bmc: x}\n')).toEqual({ driver: 'ipmi', bmc: 'x' });
  expect(read(LIST)).toEqual([{ driver: 'ipmi', bmc: 'x' }, OUTLET]);
  expect(read(`power:\n${LIST.replace(/^/gm, '  ')}`)).toEqual([{ driver: 'ipmi', bmc: 'x' }, OUTLET]);
  // Of the file, not of the config that it goes into.
  expect(read('{driver: qemu, qmpSocket: qmp.sock}')).toMatchObject({ qmpSocket: join(folder, 'qmp.sock') });
});

it.each([
  ['{driver: http, url: x}', /power\.yaml: power\.driver: .*; correct it; infra\/LAB\.md/],
  ['{driver: command, on: [a]}', /power\.off: .*; correct it/],
  [
    '- {driver: ipmi, bmc: x}\n- {driver: command, on: [a], off: [b], stat: [c]}',
    /power\.1\.stat: unknown field "stat"; remove it/,
  ],
  ['- {driver: ipmi, bmc: y}', /power\.0\.bmc: there is no BMC "y"; bmcs are x/],
  ['{driver: redfish, bmc: x}', /power\.bmc: "x" speaks ipmi, the driver redfish needs redfish; name another BMC/],
  ['[]', /power: .*; correct it/],
  ['nothing', /power: .*; correct it/],
  ['', /power: .*; correct it/],
  ['a: [', /line 1, column \d+: .*; correct the YAML/],
])('is refused with the field and the remedy: %j', (text, message) => {
  expect(() => read(text)).toThrow(message);
});

it('that is not there is named', () => {
  expect(() => readPowerFile(join(folder, 'none.yaml'), { bmcs })).toThrow(
    /none\.yaml: --power-file: cannot be read \(ENOENT\); give a YAML file/,
  );
});
