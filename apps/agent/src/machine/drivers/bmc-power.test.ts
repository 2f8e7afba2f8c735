import { createHash, X509Certificate } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { IpmiBmc, RedfishBmc } from '../bmc.js';
import { adviceOf } from '../errors.js';
import type { SwitchPace } from '../switched-power.js';
import { createCommandPower } from './command-power.js';
import { createIpmiPower } from './ipmi-power.js';
import { type IpmiSim, startIpmiSim } from '../../testing/ipmi-sim.js';
import { RedfishService } from '../../testing/redfish-service.js';
import { createRedfishPower } from './redfish-power.js';

const PACE: SwitchPace = { pollMs: 10, reachMs: 20_000, againMs: 5_000, coldMs: 10 };

let folder: string;
const atEnd: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-test-bmc-'));
});
afterEach(async () => {
  for (const end of atEnd.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

describe('IPMI, against a simulated BMC', () => {
  let sim: IpmiSim;
  const bmcOf = (change: Partial<IpmiBmc> = {}): IpmiBmc => ({
    protocol: 'ipmi',
    host: '127.0.0.1',
    port: sim.port,
    user: sim.user,
    passwordFile: sim.passwordFile,
    privilege: 'administrator',
    ...change,
  });
  beforeEach(async () => {
    sim = await startIpmiSim(folder);
    atEnd.push(() => sim.stop());
  });

  it('reads the state, resets what is on, switches on what is off, and cycles', async () => {
    const power = createIpmiPower(bmcOf(), PACE);
    expect(await power.state()).toBe('on');
    await power.reset();
    expect(sim.orders().join()).toContain('reset');
    sim.setPower('0');
    expect(await power.state()).toBe('off');
    await power.reset();
    expect(sim.power()).toBe('1');
    await power.cycle?.();
    expect(sim.power()).toBe('1');
    expect(sim.orders().slice(-2)).toEqual(['power 0', 'power 1']);
  });

  it('is used by an operator who asks for no more', async () => {
    const power = createIpmiPower(bmcOf({ user: sim.operator, privilege: 'operator', cipherSuite: 3 }), PACE);
    expect(await power.state()).toBe('on');
    await power.reset();
    expect(sim.orders().join()).toContain('reset');
  });

  it.each([
    ['administrator', 'Set Session Privilege Level to ADMINISTRATOR failed', 'write privilege: operator at this BMC'],
    ['administrator', 'RAKP 2 message indicates an error : invalid role', 'write privilege: operator at this BMC'],
    ['operator', 'Set Chassis Power Control failed: Insufficient privilege level', 'write privilege: administrator'],
  ] as const)('tells one who asks as %s and hears "%s" what to write', async (privilege, said, remedy) => {
    // The simulator gives every user what it asks for: a program with the words of BMCs that do not.
    writeFileSync(join(folder, 'ipmitool'), `#!/bin/sh\necho '${said}' >&2\nexit 1\n`, { mode: 0o755 });
    const path = process.env['PATH'];
    process.env['PATH'] = `${folder}:${path ?? ''}`;
    try {
      const refused = createIpmiPower(bmcOf({ privilege }), PACE).state();
      expect(await refused.catch(adviceOf)).toContain(remedy);
    } finally {
      process.env['PATH'] = path;
    }
  });

  it('names the remedy for a wrong password and for no answer, and shows no password', async () => {
    const wrong = join(folder, 'wrong');
    writeFileSync(wrong, 'another password');
    const refused = await createIpmiPower(bmcOf({ passwordFile: wrong, cipherSuite: 3 }), PACE)
      .state()
      .catch((error: unknown) => adviceOf(error));
    expect(refused).toContain(wrong);
    expect(refused).not.toContain('another password');
    await sim.stop();
    atEnd.length = 0;
    await expect(createIpmiPower(bmcOf({ cipherSuite: 3 }), PACE).state()).rejects.toThrow(/BMC 127\.0\.0\.1:\d+/);
  }, 120_000);
});

describe('Redfish, against a service on loopback', () => {
  let service: RedfishService;
  const passwordFile = (): string => {
    const file = join(folder, 'password');
    writeFileSync(file, 'a password\n');
    return file;
  };
  const listen = async (server: Server): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd.push(() => new Promise((resolve) => server.close(() => resolve())));
    return (server.address() as AddressInfo).port;
  };
  const bmcOf = async (change: Partial<RedfishBmc> = {}): Promise<RedfishBmc> => {
    const port = await listen(createHttp((request, response) => service.serve(request, response)));
    const bmc = {
      protocol: 'redfish' as const,
      url: `http://127.0.0.1:${port}`,
      user: 'lab',
      passwordFile: passwordFile(),
    };
    return { ...bmc, ...change };
  };
  beforeEach(() => {
    service = new RedfishService();
  });

  it.each([false, true])(
    'reads the state, resets, switches on and cycles; allowed values by an ActionInfo: %s',
    async (byInfo) => {
      service.byInfo = byInfo;
      const power = createRedfishPower(await bmcOf(), PACE);
      expect(await power.state()).toBe('on');
      await power.reset();
      expect(service.orders).toEqual(['ForceRestart']);
      await power.cycle?.();
      expect(service.orders).toEqual(['ForceRestart', 'ForceOff', 'On']);
      service.power = 'Off';
      await power.reset();
      expect(service.power).toBe('On');
      expect(service.orders.slice(3)).toEqual(['On']);
    },
  );

  it('takes what the service allows, and says what that is when it is of no use', async () => {
    service.allowed = ['ForceOff', 'ForceOn', 'PowerCycle'];
    const power = createRedfishPower(await bmcOf(), PACE);
    await power.reset();
    expect(service.orders).toEqual(['PowerCycle']);
    service.allowed = ['GracefulShutdown'];
    await expect(power.reset()).rejects.toThrow('none of ForceRestart, PowerCycle is allowed (GracefulShutdown)');
  });

  it('asks which system is meant', async () => {
    service.systems = ['Node1', 'Node2'];
    const bmc = await bmcOf();
    await expect(createRedfishPower(bmc, PACE).state()).rejects.toThrow('it has 2 systems (Node1, Node2)');
    expect(await createRedfishPower({ ...bmc, system: 'Node1' }, PACE).state()).toBe('on');
    await expect(createRedfishPower({ ...bmc, system: 'x' }, PACE).state()).rejects.toThrow('it has no system x');
  });

  it('sends the password only to the holder of the pinned certificate', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const kind = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=bmc'.split(' ');
    execFileSync('openssl', [...kind, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const server = createHttps({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) =>
      service.serve(request, response),
    );
    const url = `https://127.0.0.1:${await listen(server)}`;
    const pin = createHash('sha256')
      .update(new X509Certificate(readFileSync(cert)).raw)
      .digest('hex');
    const bmc: RedfishBmc = { protocol: 'redfish', url, user: 'lab', passwordFile: passwordFile() };
    expect(await createRedfishPower({ ...bmc, certificateSha256: pin }, PACE).state()).toBe('on');
    service.authorizations.clear();
    await expect(createRedfishPower({ ...bmc, certificateSha256: '0'.repeat(64) }, PACE).state()).rejects.toThrow(
      'not the pinned one',
    );
    await expect(createRedfishPower(bmc, PACE).state()).rejects.toThrow(/self-signed certificate/);
    expect(service.authorizations.size).toBe(0);
  });

  it.each([
    // Half of its limit passes between two of them.
    ['goes on for ever, a byte now and then', ' ', 15_000, 'no whole answer within 30 s'],
    ['is larger than any', ' '.repeat(9_000_000), 0, 'its answer has more than'],
  ])('gives up an answer that %s', async (_, part, passesMs, message) => {
    const server = createHttp((_request, response) => {
      response.write(part);
      const more = setInterval(() => {
        // It is given up before this service hears of it.
        if (vi.isFakeTimers()) vi.advanceTimersByTime(passesMs);
        response.write(part);
      }, 20);
      response.on('close', () => clearInterval(more));
    });
    const url = `http://127.0.0.1:${await listen(server)}`;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      await expect(createRedfishPower(await bmcOf({ url }), PACE).state()).rejects.toThrow(message);
    } finally {
      vi.useRealTimers();
    }
  });

  it('names file and user for a refusal, and never the password', async () => {
    const bmc = await bmcOf({ user: 'somebody' });
    const message = await createRedfishPower(bmc, PACE)
      .state()
      .catch((error: unknown) => (error as Error).message);
    expect(message).toContain('is refused (401)');
    expect(message).not.toContain('a password');
  });
});

describe('commands of the lab', () => {
  it('are run without a shell; the state is their last word', async () => {
    const state = join(folder, 'state');
    writeFileSync(state, 'on');
    const write = (word: string): string[] => ['sh', '-c', 'printf %s "$1" > "$2"', 'sh', word, state];
    const power = createCommandPower('m1', { on: write('on'), off: write('off'), state: ['cat', state] }, PACE);
    await power.cycle?.();
    expect(await power.state()).toBe('on');
    writeFileSync(state, 'outlet 7: OFF\n');
    expect(await power.state()).toBe('off');
    await expect(createCommandPower('m1', { on: ['false'], off: ['false'] }, PACE).reset()).rejects.toThrow(
      'the power command false of m1 exited with 1',
    );
    await expect(
      createCommandPower('m1', { on: ['no-such-program'], off: ['no-such-program'] }, PACE).reset(),
    ).rejects.toThrow('could not be run');
  });
});
