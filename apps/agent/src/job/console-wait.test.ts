import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { type EndedJob, runScriptedJob } from '../testing/scripted-job.js';

const HELD = 'SOL payload already active on another session';
let folder: string;
let lab: FakeLab;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-console-wait-'));
  lab = await startFakeLab(folder);
});
afterEach(async () => {
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A job whose console has the problem for so many looks at it. */
function run(looks: number): Promise<EndedJob> {
  let left = looks;
  Object.assign(lab.machine, {
    console: { ...lab.machine.console, problem: () => (left-- > 0 ? HELD : null) },
  });
  return runScriptedJob(lab, folder, { assignment: lab.assign(), pace: { ...FAKE_PACE, consoleMs: 1_000 } });
}

it('a console that another session still holds is waited for', async () => {
  const { failure, text } = await run(5);
  expect(failure).toBeNull();
  expect(text('agent')).toContain(`the console of v-switch is not recorded: ${HELD}; it is waited for`);
});

it('a console that stays away is the lab’s trouble, before anything is changed on the machine', async () => {
  expect((await run(Number.POSITIVE_INFINITY)).failure).toMatchObject({
    class: 'infrastructure',
    stage: 'prepare',
    message: `the console of v-switch is not recorded: ${HELD}`,
  });
  expect(lab.fake.boots).toBe(0);
  expect(lab.fake.commands).not.toContain('make-folders');
});
