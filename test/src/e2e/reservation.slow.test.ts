import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HttpClient } from '@peerlab/client';
import type { Reservation } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StartedFarm } from './started-farm.js';

const program = join(dirname(fileURLToPath(import.meta.url)), '../../..', 'apps/cli/dist/main.js');
const MACHINE = 'v-switch';
/** A boot of an emulated machine, or its disk image where it is not stored. */
const LIMIT_MS = 20 * 60_000;

describe('a virtual machine that a person has for a while', () => {
  let farm: StartedFarm;
  let client: HttpClient;
  let token: string;
  let terminals: ChildProcess[];

  beforeAll(async () => {
    terminals = [];
    farm = await StartedFarm.start(['--no-run', '--machines', MACHINE]);
    await farm.said(/Ctrl-C stops it/, LIMIT_MS);
    [client, token] = [await farm.client(), await farm.token()];
  }, 2 * LIMIT_MS);
  afterAll(async () => {
    for (const terminal of terminals) terminal.kill();
    await farm?.remove();
  });

  /** The CLI as a person types it. */
  function type(args: string[], input: string | null): { output: () => string; code: Promise<number> } {
    const env = { ...process.env, PEERLAB_URL: farm.url, PEERLAB_TOKEN: token, NO_COLOR: '1' };
    const child = spawn(process.execPath, [program, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    terminals.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (output += String(piece)));
    if (input !== null) child.stdin.end(input);
    return { output: () => output, code: new Promise((resolve) => child.once('close', (code) => resolve(code ?? -1))) };
  }

  async function typed(...args: string[]): Promise<string> {
    const { output, code } = type(args, '');
    expect(await code, output()).toBe(0);
    return output();
  }

  const until = (what: string, look: (reservation: Reservation) => boolean): Promise<Reservation> =>
    farm.until(what, LIMIT_MS, async () => {
      const [newest] = await client.call('listReservations', { query: { machine: MACHINE } });
      return newest !== undefined && look(newest) ? newest : null;
    });

  it('gives a shell and its console, and takes its jobs again when it has been put back', async () => {
    expect(await typed('reserve', MACHINE, '--for', '1h', '--reason', 'looks at it')).toContain(`${MACHINE} is yours`);
    await until('the reservation', ({ state }) => state === 'held');

    const serial = type(['console', MACHINE], null);
    const shell = type(
      ['ssh', MACHINE],
      // What was left of a kernel under test, and a machine whose next boot is not its default kernel any more.
      `echo sum=$((6 * 7)); echo '<1>told-by-a-person' >/dev/kmsg
touch /boot/peerlab-left-vmlinuz; grub-reboot 9; sync; exit
`,
    );
    expect(await shell.code, shell.output()).toBe(0);
    expect(shell.output()).toContain('sum=42');
    await farm.until('the line on the console', LIMIT_MS, async () =>
      serial.output().includes('told-by-a-person') ? true : null,
    );

    const machine = async () => (await client.call('getFleet', {})).machines.find(({ name }) => name === MACHINE);
    expect(await machine()).toMatchObject({ desired: 'active', reservation: { reason: 'looks at it', state: 'held' } });

    expect(await typed('return', MACHINE)).toContain('it takes jobs when its agent has restored it');
    const ended = await until('the end of the restoration', ({ state }) => state === 'ended');
    expect(ended.outcome, ended.detail ?? '').toBe('restored');
    const back = await machine();
    expect(back?.desired).toBe('active');
    expect(back?.reservation).toBeUndefined();

    const record = await typed('terminals', MACHINE);
    expect(record).toMatch(/shell/);
    expect(record).toMatch(/console/);

    // Nothing of the person is left for whoever comes next.
    await typed('reserve', MACHINE, '--for', '1h', '--reason', 'looks again');
    await until('the second reservation', ({ state }) => state === 'held');
    const second = type(['ssh', MACHINE], 'ls /boot; grub-editenv list; echo end=$((1 + 1)); exit\n');
    expect(await second.code, second.output()).toBe(0);
    expect(second.output()).toContain('end=2');
    expect(second.output()).not.toContain('peerlab-left');
    expect(second.output()).not.toContain('next_entry=9');
  });
});
