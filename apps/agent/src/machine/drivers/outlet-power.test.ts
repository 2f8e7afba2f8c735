import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '@peerlab/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { labOutlet } from '../../testing/lab-outlet.js';
import { type Outlet, startOutlet } from '../../testing/outlet.js';
import type { SwitchPace } from '../switched-power.js';
import { createCommandPower } from './command-power.js';

/** An outlet of a PDU by the command that the guide for labs shows: a real server, and the real curl. */

const PACE: SwitchPace = { pollMs: 10, reachMs: 20_000, againMs: 5_000, coldMs: 10 };

let folder: string;
let outlet: Outlet;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-outlet-'));
  outlet = await startOutlet();
});
afterEach(async () => {
  await outlet.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('is read, cycled, switched off and on, and the password is in no argument', async () => {
  const settings = labOutlet(outlet, folder);
  expect(JSON.stringify(settings)).not.toContain(outlet.password);
  const power = createCommandPower('epyc-1', settings, PACE);
  expect(await power.state()).toBe('on');
  const changes: string[] = [];
  outlet.onChange = (state) => void changes.push(state);
  await power.reset();
  expect(outlet.orders()).toEqual(['cycle']);
  await power.cycle?.();
  expect(outlet.orders()).toEqual(['cycle', 'off', 'on']);
  expect(changes).toEqual(['off', 'on', 'off', 'on']);
});

it('that is off is switched on by a reset', async () => {
  const settings = labOutlet(outlet, folder);
  const power = createCommandPower('epyc-1', settings, PACE);
  const [curl = '', ...words] = settings.off;
  await runProgram(curl, words, { timeoutMs: 30_000 });
  expect(outlet.state()).toBe('off');
  await power.reset();
  expect(outlet.state()).toBe('on');
});

it('refuses another password, which no message shows', async () => {
  const power = createCommandPower('epyc-1', labOutlet(outlet, folder, 'another secret'), PACE);
  const message = await power.reset().catch((error: unknown) => (error as Error).message);
  expect(message).toMatch(/^the power command curl of epyc-1 exited with 22: .*401/);
  expect(message).not.toContain('secret');
  expect(outlet.orders()).toEqual([]);
});

it('that stays off is told on again, and is a failure in the end', async () => {
  outlet.behave('stays off');
  const power = createCommandPower('epyc-1', labOutlet(outlet, folder), { ...PACE, againMs: 100, reachMs: 2_000 });
  await expect(power.cycle?.()).rejects.toThrow(
    /to say that the machine is on \(it says off\) did not happen within 2\.0 s/,
  );
  expect(outlet.orders().filter((order) => order === 'on').length).toBeGreaterThan(1);
});

it('whose server hangs ends at the time limit of the command', async () => {
  outlet.behave('hangs');
  const settings = labOutlet(outlet, folder);
  const { state } = settings;
  expect(state[state.indexOf('--max-time') + 1]).toBe('20');
  const hurried = state.map((word) => (word === '20' ? '1' : word));
  const power = createCommandPower('epyc-1', { ...settings, state: hurried }, PACE);
  await expect(power.state()).rejects.toThrow(/exited with 28: .*timed out/);
});
