import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startIpmiSim } from '../../testing/ipmi-sim.js';
import type { IpmiBmc } from '../bmc.js';
import type { ExecResult, Session } from '../protocols.js';
import { createIpmiWatchdog, readTimer } from './ipmi-watchdog.js';
import { runIpmitool } from './ipmitool.js';
import { createRebootWatchdog, foreignHolders } from './reboot-watchdog.js';

/** The BMC asks no machine. */
const NO_SESSION = null as unknown as Session;

describe('the watchdog of a BMC', () => {
  let folder: string;
  const path = process.env['PATH'];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'peerlab-watchdog-'));
  });
  afterEach(() => {
    process.env['PATH'] = path;
    rmSync(folder, { recursive: true, force: true });
  });

  /** A BMC in the place of ipmitool: it keeps what is set, as the eight bytes that it answers, and starts when it is told. */
  function startBmc(starts = true, stops = true): IpmiBmc {
    const timer = join(folder, 'timer');
    writeFileSync(timer, '00 00 00 00 00 00 00 00');
    writeFileSync(
      join(folder, 'ipmitool'),
      `#!/bin/sh
while [ "$1" != raw ]; do shift; done
strip() { echo "\${1#0x}"; }
case $3 in
0x24) ${stops ? ':' : 'case $5 in 0x00) exit 0 ;; esac'}; echo "$(strip $4) $(strip $5) $(strip $6) 00 $(strip $8) $(strip $9) 00 00" >${timer} ;;
0x22) ${starts ? `sed -i 's/^0/4/' ${timer}` : ':'} ;;
0x25) echo " $(cat ${timer})" ;;
esac
`,
      { mode: 0o755 },
    );
    process.env['PATH'] = `${folder}:${path ?? ''}`;
    const address = { host: '10.0.0.7', port: 623, user: 'lab', passwordFile: '/none' };
    return { protocol: 'ipmi', ...address, cipherSuite: 3, privilege: 'administrator' };
  }
  const shown = (): string => readFileSync(join(folder, 'timer'), 'utf8').trim();

  it('is set to a hard reset and started, and stopped when it is disarmed', async () => {
    const watchdog = createIpmiWatchdog(startBmc());
    expect(await watchdog.foreignUser(NO_SESSION)).toBeNull();
    await watchdog.arm(NO_SESSION, 600_000);
    // For the load of an operating system, running; a hard reset; 6000 tenths of a second.
    expect(shown()).toBe('43 01 00 00 70 17 00 00');
    expect(await watchdog.foreignUser(NO_SESSION)).toBeNull();
    expect(await watchdog.readBack(NO_SESSION)).toEqual({ isRunning: true, leftMs: 0, note: null });
    await watchdog.disarm(null);
    expect(shown().slice(0, 5)).toBe('03 00');
  });

  it('never counts longer than it can, and one that does not start is no watchdog', async () => {
    await createIpmiWatchdog(startBmc()).arm(NO_SESSION, 100_000_000);
    expect(shown()).toBe('43 01 00 00 ff ff 00 00');
    await expect(createIpmiWatchdog(startBmc(false)).arm(NO_SESSION, 1000)).rejects.toThrow('did not start');
  });

  it('that is set to another action than it was told is told', async () => {
    const watchdog = createIpmiWatchdog(startBmc());
    await watchdog.arm(NO_SESSION, 600_000);
    writeFileSync(join(folder, 'timer'), '43 00 00 00 70 17 5b 17');
    await expect(watchdog.readBack(NO_SESSION)).rejects.toThrow(
      'the watchdog of BMC 10.0.0.7 was set to a hard reset, and says that its action is none',
    );
  });

  it('that counts on although it was stopped is told', async () => {
    const watchdog = createIpmiWatchdog(startBmc(true, false));
    await watchdog.arm(NO_SESSION, 600_000);
    await expect(watchdog.disarm(null)).rejects.toThrow('the watchdog of BMC 10.0.0.7 counts on');
  });

  it('notices one that the system of the machine pats', async () => {
    const bmc = startBmc();
    writeFileSync(join(folder, 'timer'), '44 01 00 00 b8 0b b8 0b');
    expect(await createIpmiWatchdog(bmc).foreignUser(NO_SESSION)).toBe('it runs for SMS/OS');
  });

  it('takes the words of a genuine BMC program, whose timer never runs', async () => {
    const sim = await startIpmiSim(folder);
    try {
      const { port, operator: user, passwordFile } = sim;
      const login = { user, passwordFile, privilege: 'operator' } as const;
      const bmc: IpmiBmc = { protocol: 'ipmi', host: '127.0.0.1', port, ...login, cipherSuite: 3 };
      // It knows that the machine can be reset once that has said so.
      await eventually('a BMC that takes a reset', () =>
        createIpmiWatchdog(bmc)
          .arm(NO_SESSION, 4_000)
          .then(
            () => true,
            (error: unknown) => String(error).includes('did not start'),
          ),
      );
      expect(readTimer(await runIpmitool(bmc, ['raw', '0x06', '0x25']))).toMatchObject({ use: 3, initialMs: 4_000 });
    } finally {
      await sim.stop();
    }
  });
});

it('a timer tells what it does, at its end and how long still, where the BMC says so', () => {
  const timer = { running: true, use: 3, action: 1, initialMs: 600_000 };
  expect(readTimer(' 43 01 00 00 70 17 5b 17\n')).toEqual({ ...timer, leftMs: 597_900 });
  expect(readTimer(' 43 01 00 00 70 17\n')).toEqual({ ...timer, leftMs: null });
});

it('an answer that is no timer is an error', () => {
  expect(() => readTimer('Unable to send RAW command')).toThrow(/did not say what its watchdog does/);
});

describe('a watchdog of the machine itself', () => {
  const answering = (stdout: string): { session: Session; commands: string[] } => {
    const commands: string[] = [];
    const exec = (command: string): Promise<ExecResult> => {
      commands.push(command);
      return Promise.resolve({ stdout, stderr: '', code: 0, signal: null });
    };
    return { session: { exec } as unknown as Session, commands };
  };

  it('is set for the way down through systemd', async () => {
    const { session, commands } = answering('device watchdog0 i6300ESB timer\nsystemd t 60000000\nholder systemd\n');
    await createRebootWatchdog().arm(session, 90_000);
    expect(commands.at(-1)).toContain('RebootWatchdogUSec KExecWatchdogUSec');
    expect(commands.at(-1)).toContain(' t 90000000 ');
    expect(await createRebootWatchdog().foreignUser(session)).toBeNull();
  });

  it('is refused without a device, and where a daemon holds it', async () => {
    await expect(createRebootWatchdog().arm(answering('systemd t 0\n').session, 1000)).rejects.toThrow(
      'no watchdog device',
    );
    await expect(createRebootWatchdog().foreignUser(answering('holder watchdogd\n').session)).rejects.toThrow(
      'no watchdog device',
    );
    const held = answering('device watchdog0 iTCO_wdt\nholder watchdogd\nholder systemd\n').session;
    expect(await createRebootWatchdog().foreignUser(held)).toBe('it is held by watchdogd');
    expect(foreignHolders('holder a\nholder systemd\nholder b c\n')).toEqual(['a', 'b c']);
  });

  it('says what systemd kept for the way down, and whether the timer runs already', async () => {
    const read = (text: string) => createRebootWatchdog().readBack(answering(text).session);
    expect(await read('set t 600000000\nstate watchdog0 inactive \n')).toEqual({
      isRunning: null,
      leftMs: null,
      note: 'systemd has 600 s for the way down, when it starts the timer',
    });
    expect(await read('set t 600000000\nstate watchdog0 inactive 0\nstate watchdog1 active 57\n')).toEqual({
      isRunning: true,
      leftMs: null,
      note: 'systemd has 600 s for the way down; watchdog1 runs with 57 s left, and systemd pats it',
    });
    for (const none of ['set t 0\n', 'set \n', 'set t 18446744073709551615\n'])
      await expect(read(none)).rejects.toThrow('systemd took the time of RebootWatchdogUSec and does not have it');
  });
});
