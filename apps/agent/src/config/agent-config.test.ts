import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, readToken } from './agent-config.js';
import { lockState } from './state-lock.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const BASE = `controller: ws://127.0.0.1:7470
tokenFile: agent.token
name: lab
stateDir: state
cacheDir: cache
`;
const MACHINE = {
  name: 'v-switch',
  shell: { driver: 'ssh', host: '127.0.0.1', port: 22101, privateKeyFile: 'key', hostKey: 'ssh-ed25519 AAAAC3Nz' },
  power: { driver: 'qemu', qmpSocket: 'qmp.sock' },
};
const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const complaint = (text: string): string => {
  try {
    loadConfig(write('agent.yaml', text));
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the config was taken');
};

describe('lockState', () => {
  it('names the agent that holds the folder, and takes over from one that is gone', () => {
    lockState(folder);
    expect(() => lockState(folder)).toThrow(new RegExp(`stateDir: another agent \\(pid ${process.pid}\\) uses it`));
    write('agent.pid', '999999999 1');
    lockState(folder);
    write('agent.pid', `${process.pid} 1`);
    lockState(folder);
  });
});

describe('loadConfig', () => {
  it('takes the key of the site, from either file, and not from where builds could read it', () => {
    const signing = '{keyFile: keys/site.key, certificateFile: keys/site.crt}';
    const machines = `machines: ${JSON.stringify([MACHINE])}\n`;
    const expected = { keyFile: join(folder, 'keys/site.key'), certificateFile: join(folder, 'keys/site.crt') };
    expect(loadConfig(write('agent.yaml', `${BASE}${machines}signing: ${signing}\n`)).signing).toEqual(expected);
    write('machines.yaml', `${machines}signing: ${signing}\n`);
    const both = `${BASE}machinesFile: machines.yaml\n`;
    expect(loadConfig(write('agent.yaml', both)).signing).toEqual(expected);
    expect(complaint(`${both}signing: ${signing}\n`)).toMatch(/machines\.yaml: signing: .* has it, too/);
    expect(complaint(`${BASE}${machines}kernelDir: keys\nsigning: ${signing}\n`)).toMatch(
      /signing\.keyFile: lies in kernelDir, which builds can read/,
    );
    expect(loadConfig(write('agent.yaml', BASE + machines)).signing).toBeUndefined();
  });

  it('takes the link to the other machines, and refuses an address without its prefix or a name that is none', () => {
    const withLink = (link: object): string => `${BASE}machines: ${JSON.stringify([{ ...MACHINE, link }])}\n`;
    const link = { device: 'enp65s0f0np0', address: '10.77.0.1/24' };
    expect(loadConfig(write('agent.yaml', withLink(link))).machines[0]?.link).toEqual(link);
    expect(complaint(withLink({ ...link, address: '10.77.0.1' }))).toMatch(/link\.address: expected an IPv4 address/);
    expect(complaint(withLink({ device: 'a; reboot' }))).toMatch(/link\.device: expected the name of a network device/);
    expect(complaint(withLink({ mac: 'x' }))).toMatch(/link\.mac: expected a MAC address/);
    for (const none of [{}, { ...link, mac: '52:54:00:70:00:01' }])
      expect(complaint(withLink(none))).toMatch(/link: name the device or its mac, one of them/);
  });

  it('bounds the spool, and refuses a bound that nothing fits into', () => {
    const machines = `machines: ${JSON.stringify([MACHINE])}\n`;
    expect(loadConfig(write('agent.yaml', BASE + machines))).toMatchObject({
      spoolMaxBytes: 2 * 1024 ** 3,
      spoolHoldSeconds: 10,
    });
    const given = loadConfig(write('agent.yaml', `${BASE}${machines}spoolMaxBytes: 67108864\nspoolHoldSeconds: 0.5\n`));
    expect(given).toMatchObject({ spoolMaxBytes: 64 * 1024 ** 2, spoolHoldSeconds: 0.5 });
    expect(complaint(`${BASE}${machines}spoolMaxBytes: 1000\n`)).toMatch(/spoolMaxBytes: expected 16 MiB or more/);
  });

  it('takes machines from the file of the lab, with paths relative to it', () => {
    write('machines.json', JSON.stringify([MACHINE]));
    const config = loadConfig(write('agent.yaml', `${BASE}machinesFile: machines.json\n`));
    expect(config).toMatchObject({ capabilities: ['test'], buildSlots: 1, tokenFile: join(folder, 'agent.token') });
    expect(config.machines).toMatchObject([
      {
        boot: { driver: 'grub' },
        shell: { user: 'root', privateKeyFile: join(folder, 'key') },
        power: { qmpSocket: join(folder, 'qmp.sock') },
      },
    ]);
  });

  it('names the unknown field, the wrong value and the remedy', () => {
    expect(complaint(`${BASE}kernelDirectory: x\nmachines: []\n`)).toMatch(/kernelDirectory: unknown field.*spelling/);
    expect(complaint(BASE.replace('ws://127.0.0.1:7470', 'ftp://x'))).toContain(
      'controller: expected an http, https, ws or wss URL',
    );
    expect(complaint(BASE)).toMatch(/machines: no machine is configured; set machinesFile/);
    expect(complaint(`${BASE}machinesFile: none.json\n`)).toMatch(
      /machinesFile: cannot be read \(ENOENT\); start the lab/,
    );
    expect(complaint(`${BASE}capabilities: [build]\n`)).toMatch(/kernelDir: is missing/);
    expect(complaint(`${BASE}machines: ${JSON.stringify([MACHINE, MACHINE])}\n`)).toContain('"v-switch" is used twice');
    expect(complaint('controller: [\n')).toMatch(/line \d+, column \d+/);
    const bad = { ...MACHINE, shell: { ...MACHINE.shell, hostKey: 'nonsense' } };
    expect(complaint(`${BASE}machines: ${JSON.stringify([bad])}\n`)).toContain(
      'machines.0.shell.hostKey: expected a public key',
    );
    const other = { ...MACHINE, power: { driver: 'acme' } };
    expect(complaint(`${BASE}machines: ${JSON.stringify([other])}\n`)).toContain('machines.0.power.driver');
  });

  it('knows BMCs by name, resolves their files, and names a reference to none or to one of another protocol', () => {
    const bmcs = { 'bmc-1': { protocol: 'ipmi', host: '10.0.0.7', user: 'lab', passwordFile: 'bmc.password' } };
    const text = (power: object): string =>
      `${BASE}bmcs: ${JSON.stringify(bmcs)}\nmachines: ${JSON.stringify([{ ...MACHINE, power }])}\n`;
    const config = loadConfig(write('agent.yaml', text({ driver: 'ipmi', bmc: 'bmc-1' })));
    expect(config.bmcs['bmc-1']).toMatchObject({ port: 623, passwordFile: join(folder, 'bmc.password') });
    expect(config.machines[0]?.power).toEqual({ driver: 'ipmi', bmc: 'bmc-1' });
    expect(complaint(text({ driver: 'ipmi', bmc: 'bmc-2' }))).toContain(
      'machines v-switch: power.bmc: there is no BMC "bmc-2"; bmcs are bmc-1',
    );
    expect(complaint(text({ driver: 'redfish', bmc: 'bmc-1' }))).toContain(
      '"bmc-1" speaks ipmi, the driver redfish needs',
    );
    const option = { 'bmc-1': { ...bmcs['bmc-1'], host: '-v' } };
    expect(complaint(`${BASE}bmcs: ${JSON.stringify(option)}\nmachines: ${JSON.stringify([MACHINE])}\n`)).toContain(
      'bmcs.bmc-1.host: expected a host name',
    );
  });

  it('takes several ways to power, resolves their paths, and names the one that is wrong', () => {
    const bmcs = { 'bmc-1': { protocol: 'ipmi', host: '10.0.0.7', user: 'lab', passwordFile: 'bmc.password' } };
    const text = (power: unknown): string =>
      `${BASE}bmcs: ${JSON.stringify(bmcs)}\nmachines: ${JSON.stringify([{ ...MACHINE, power }])}\n`;
    const outlet = { driver: 'command', on: ['on'], off: ['off'] };
    const both = [{ driver: 'ipmi', bmc: 'bmc-1' }, { ...MACHINE.power }, outlet];
    expect(loadConfig(write('agent.yaml', text(both))).machines[0]?.power).toEqual([
      { driver: 'ipmi', bmc: 'bmc-1' },
      { driver: 'qemu', qmpSocket: join(folder, 'qmp.sock') },
      outlet,
    ]);
    expect(complaint(text([outlet, { driver: 'ipmi', bmc: 'bmc-2' }]))).toContain(
      'machines v-switch: power.1.bmc: there is no BMC "bmc-2"; bmcs are bmc-1',
    );
    expect(complaint(text([outlet, { ...outlet, off: [] }]))).toContain('machines.0.power.1.off: it is empty');
    expect(complaint(text([outlet, { driver: 'acme' }]))).toContain('machines.0.power.1.driver');
    expect(complaint(text([outlet, { ...outlet, onn: ['x'] }]))).toContain('machines.0.power.1.onn: unknown field');
    expect(complaint(text([]))).toContain('machines.0.power: it is empty');
    expect(complaint(text([outlet, outlet, outlet, outlet]))).toContain('machines.0.power: ');
    expect(complaint(text({ ...outlet, off: [] }))).toContain('machines.0.power.off: it is empty');
  });

  it('a missing or empty token is said with the command that makes one', () => {
    expect(() => readToken(join(folder, 'none'))).toThrow(/tokenFile: cannot be read.*token create/);
    expect(() => readToken(write('empty', ' \n'))).toThrow(/tokenFile: is empty/);
    expect(readToken(write('good', 'plk_agent_x\n'))).toBe('plk_agent_x');
  });
});
