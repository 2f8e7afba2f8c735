import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Outlet } from './outlet.js';

interface CommandSettings {
  driver: 'command';
  on: string[];
  off: string[];
  reset: string[];
  state: string[];
}

const LAB = new URL('../../../../infra/LAB.md', import.meta.url);

/**
 * The power command for an outlet as the guide for labs (infra/LAB.md) shows it, with its address and its password file
 * replaced by those of `outlet`; the file is written into `folder`.
 */
export function labOutlet(outlet: Outlet, folder: string, password = outlet.password): CommandSettings {
  const text = readFileSync(LAB, 'utf8');
  const block = text.split('```yaml\n').find((part) => part.includes('pdu-3.curl')) ?? '';
  const { power } = parse(block.slice(0, block.indexOf('```'))) as { power: [unknown, CommandSettings] };
  const [, line = ''] = /^ {4}(user = ".*")$/m.exec(text) ?? [];
  if (!line.includes('peerlab:PASSWORD')) throw new Error('infra/LAB.md does not show the file of the password');
  const file = join(folder, 'pdu-3.curl');
  writeFileSync(file, `${line.replace('peerlab:PASSWORD', `${outlet.user}:${password}`)}\n`, { mode: 0o600 });
  const here = (words: string[]): string[] =>
    words.map((word) => word.replace('https://pdu-3.lab.example', outlet.url).replace('/etc/peerlab/pdu-3.curl', file));
  const { on, off, reset, state } = power[1];
  return { driver: 'command', on: here(on), off: here(off), reset: here(reset), state: here(state) };
}
