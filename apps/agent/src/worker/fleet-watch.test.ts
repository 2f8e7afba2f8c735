import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FromAgent } from '@peerlab/contracts';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startFakeLab } from '../fake/fake-lab.js';
import { GOOD_FACTS } from '../fake/good-facts.js';
import { FleetWatch } from './fleet-watch.js';

it('tells of the inventory first, then of what the farm needs and the machine lacks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'peerlab-fleet-'));
  const lab = await startFakeLab(folder);
  onTestFinished(async () => {
    await lab.fake.stop();
    rmSync(folder, { recursive: true });
  });
  lab.fake.inventory = readFileSync(new URL('../inventory/samples/v-switch.txt', import.meta.url), 'utf8');
  lab.fake.facts = GOOD_FACTS.replace('@tools', '@tools\nmissing lspci');
  const sent: Extract<FromAgent, { type: 'inventory' }>[] = [];
  const send = (frame: FromAgent): boolean => {
    if (frame.type === 'inventory') sent.push(frame);
    return true;
  };
  const fleet = new FleetWatch([lab.machine], () => false, send, { connectTimeoutMs: 5000, idleMs: 20, absentMs: 20 });
  fleet.start();
  onTestFinished(() => fleet.stop());
  await vi.waitFor(() => expect(sent).toHaveLength(2), { timeout: 10_000 });
  expect(sent[0]?.checks).toBeUndefined();
  expect(sent[1]?.checks?.filter(({ verdict }) => verdict === 'fail')).toMatchObject([
    { name: 'tools', detail: 'lspci missing', remedy: 'install pciutils' },
  ]);
  // Looked at once for each reading of the inventory; nothing was written to the machine.
  expect(lab.fake.commands.filter((command) => command === 'enrolment-facts')).toHaveLength(1);
  expect(lab.fake.commands).not.toContain('grub-preflight');
  fleet.announceAll();
  expect(sent[2]?.checks).toEqual(sent[1]?.checks);
});
