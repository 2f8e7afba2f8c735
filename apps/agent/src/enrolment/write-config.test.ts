import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { ConfigError } from '../config/agent-config.js';
import { appendMachine, refuseReadOnly } from './write-config.js';

let folder: string;
const file = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-config-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

describe('a config that a machine could not be added to', () => {
  const refusal = (config: string): string => {
    try {
      refuseReadOnly(config);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
    return 'not refused';
  };

  it('is refused where another account owns it, with what to do', () => {
    writeFileSync(file('agent.yaml'), 'machines: []\n');
    expect(refusal(file('agent.yaml'))).toBe('not refused');
    const owner = statSync(file('agent.yaml')).uid;
    vi.spyOn(process, 'geteuid').mockReturnValue(owner + 12_345);
    expect(refusal(file('agent.yaml'))).toContain(
      `machines: cannot be added to: it belongs to account ${owner}, and this runs as account ${owner + 12_345}; ` +
        `let this account own ${file('agent.yaml')} and write to its folder`,
    );
  });

  it('names the file that has the machines, not the config', () => {
    mkdirSync(file('list'));
    writeFileSync(file('agent.yaml'), 'machinesFile: list/machines.yaml\n');
    expect(refusal(file('agent.yaml'))).toMatch(/ENOENT.*list\/machines\.yaml/);
    writeFileSync(file('list/machines.yaml'), 'machines: []\n');
    expect(refusal(file('agent.yaml'))).toBe('not refused');
    vi.spyOn(process, 'geteuid').mockReturnValue(statSync(folder).uid + 1);
    expect(refusal(file('agent.yaml'))).toContain(`let this account own ${file('list/machines.yaml')}`);
  });

  it.skipIf(process.geteuid?.() === 0)('is refused where its folder is not writable', () => {
    writeFileSync(file('agent.yaml'), 'machines: []\n');
    chmodSync(folder, 0o500);
    const said = refusal(file('agent.yaml'));
    chmodSync(folder, 0o700);
    expect(said).toMatch(/cannot be added to: EACCES/);
  });
});

describe('a machine that is added', () => {
  it.each([
    ['machines: [] # none yet\nother: 1\n', 'agent.yaml'],
    ['machines:\n  - name: first # stays\nother: 1\n', 'agent.yaml'],
    ['other: 1\n', 'agent.yaml'],
  ])('goes behind the others, which stay as they are: %j', (text, name) => {
    writeFileSync(file(name), text, { mode: 0o640 });
    expect(appendMachine(file(name), { name: 'second' })).toBe(file(name));
    const written = readFileSync(file(name), 'utf8');
    expect(written.includes('# stays')).toBe(text.includes('# stays'));
    expect((parse(written) as { machines: unknown[]; other: number }).other).toBe(1);
    expect((parse(written) as { machines: unknown[] }).machines.at(-1)).toEqual({ name: 'second' });
    expect(statSync(file(name)).mode & 0o777).toBe(0o640);
  });

  it('goes into the list of a file of its own', () => {
    writeFileSync(file('agent.yaml'), 'machinesFile: machines.yaml\n');
    writeFileSync(file('machines.yaml'), '- name: first\n');
    expect(appendMachine(file('agent.yaml'), { name: 'second' })).toBe(file('machines.yaml'));
    expect(parse(readFileSync(file('machines.yaml'), 'utf8'))).toEqual([{ name: 'first' }, { name: 'second' }]);
    expect(readFileSync(file('agent.yaml'), 'utf8')).toBe('machinesFile: machines.yaml\n');
  });

  it('is refused where there is no list', () => {
    writeFileSync(file('agent.yaml'), 'machines: 5\n');
    expect(() => appendMachine(file('agent.yaml'), { name: 'x' })).toThrow(
      /machines: is no list of machines; write a list/,
    );
    expect(readFileSync(file('agent.yaml'), 'utf8')).toBe('machines: 5\n');
  });
});
