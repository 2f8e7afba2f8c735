import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readCommand } from '../command-line.js';
import { loadSettings, SettingError } from './config.js';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(text: string): string {
  const file = join(folder, 'controller.yaml');
  writeFileSync(file, text);
  return file;
}

it('takes the environment over the file over the defaults', () => {
  const file = fileWith('port: 8000\nhost: 0.0.0.0\n');
  expect(loadSettings({ PEERLAB_PORT: '9000' }, file)).toMatchObject({ port: 9000, host: '0.0.0.0', hookSecret: null });
  expect(loadSettings({}, null)).toMatchObject({ port: 7470, host: '127.0.0.1', databaseUrl: null });
  expect(loadSettings({ PEERLAB_PORT: '' }, fileWith(''))).toMatchObject({ port: 7470 });
});

it('names the setting that cannot be used', () => {
  expect(() => loadSettings({ PEERLAB_PORT: '70000' }, null)).toThrow(/^PEERLAB_PORT: /);
  expect(() => loadSettings({ DATABASE_URL: 'mysql://x' }, null)).toThrow(/^DATABASE_URL: expected postgres/);
  expect(() => loadSettings({}, fileWith('prt: 1'))).toThrow(/unknown setting prt; known are host, port/);
  expect(() => loadSettings({}, fileWith('port: [')).port).toThrow(SettingError);
  expect(() => loadSettings({}, join(folder, 'absent.yaml'))).toThrow(/absent.yaml/);
});

it('reads commands and refuses what it does not know', () => {
  expect(readCommand([])).toEqual({ name: 'serve', config: null });
  expect(readCommand(['token', 'create', '--kind', 'agent', '--name', 'lab'])).toEqual({
    name: 'token-create',
    config: null,
    kind: 'agent',
    tokenName: 'lab',
  });
  expect(() => readCommand(['token', 'create', '--kind', 'root', '--name', 'x'])).toThrow(/--kind/);
  expect(() => readCommand(['tokn'])).toThrow(/unknown command "tokn"/);
  expect(() => readCommand(['--prt'])).toThrow(SettingError);
});
