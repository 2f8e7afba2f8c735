import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { MachineError } from '../machine/errors.js';
import type { Power } from '../machine/protocols.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

let folder: string;
let lab: FakeLab;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-power-check-'));
  lab = await startFakeLab(folder);
});
afterEach(async () => {
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a job whose machine has a power that answers so. */
async function finishedWith(
  state: Power['state'],
  other: readonly Power['state'][] = [],
): Promise<AttemptEvent | undefined> {
  const assignment = lab.assign();
  const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const { fake, bundles } = lab;
  const named = (name: string, said: Power['state']): Power => ({
    name,
    reset: () => fake.power.reset(),
    cycle: null,
    state: said,
  });
  const otherPower = other.map((said) => named('the outlet', said));
  const machine = { ...lab.machine, power: named('BMC x', state), otherPower };
  const [stop, lease] = [new AbortController().signal, { check: () => undefined }];
  await runTestJob(new AttemptContext(assignment, assignment.work, machine, bundles, spool, FAKE_PACE, stop, lease));
  const events = spool.file('events').read(0, 10_000, 1e9);
  return events.flatMap((entry) => ('event' in entry ? [entry.event] : [])).at(-1);
}

it('is the lab’s trouble when a BMC does not answer, before anything is changed on the machine', async () => {
  const finished = await finishedWith(() =>
    Promise.reject(new MachineError('power', 'BMC 10.0.0.7:623, chassis power status: no session', 'check the BMC')),
  );
  expect(finished).toMatchObject({
    failure: {
      class: 'infrastructure',
      stage: 'prepare',
      message: expect.stringMatching(/the power of v-switch cannot be asked .*BMC 10\.0\.0\.7:623.*; check the BMC/),
    },
  });
  expect(lab.fake.boots).toBe(0);
  expect(lab.fake.commands).not.toContain('make-folders');
});

it('is the lab’s trouble when it speaks of another machine', async () => {
  expect(await finishedWith(() => Promise.resolve('off'))).toMatchObject({
    failure: { class: 'infrastructure', message: expect.stringContaining('says "off" of a machine that answers') },
  });
  expect(lab.fake.boots).toBe(0);
});

it('asks no more of a power that does not tell its state', async () => {
  expect(await finishedWith(() => Promise.resolve('unknown'))).toMatchObject({ failure: null, restored: true });
});

describe('of several ways to its power', () => {
  const silent: Power['state'] = () => Promise.reject(new MachineError('power', 'no session', 'check the BMC'));

  it('one that answers is enough', async () => {
    expect(await finishedWith(silent, [() => Promise.resolve('on')])).toMatchObject({ failure: null, restored: true });
  });

  it('none that answers is the lab’s trouble, with what each said', async () => {
    const message = /power 1 \(BMC x\): no session; check the BMC; power 2 \(the outlet\): no session; check the BMC/;
    expect(await finishedWith(silent, [silent])).toMatchObject({
      failure: { class: 'infrastructure', stage: 'prepare', message: expect.stringMatching(message) },
    });
    expect(lab.fake.boots).toBe(0);
  });

  it('one that speaks of another machine refuses this one, whatever the first says', async () => {
    expect(await finishedWith(() => Promise.resolve('on'), [() => Promise.resolve('off')])).toMatchObject({
      failure: {
        class: 'infrastructure',
        message: expect.stringContaining('power 2 (the outlet) of v-switch says "off" of a machine that answers'),
      },
    });
    expect(lab.fake.boots).toBe(0);
  });
});
