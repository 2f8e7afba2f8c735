import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FAKE_PACE, startFakeLab } from '../fake/fake-lab.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'call-places-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** An attempt whose only test ends in an oops. */
async function oops(
  place: NonNullable<AttemptContext['symbols']>['place'],
): Promise<{ events: AttemptEvent[]; notes: string[] }> {
  const lab = await startFakeLab(folder, { tests: [{ id: 'F01', act: 'oops' }] });
  const assignment = lab.assign();
  const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const { signal } = new AbortController();
  const lease = { check: () => undefined };
  const context = new AttemptContext(
    assignment,
    assignment.work,
    lab.machine,
    lab.bundles,
    spool,
    FAKE_PACE,
    signal,
    lease,
    null,
    null,
    { place },
  );
  await runTestJob(context);
  const events = spool.file('events').read(0, 10_000, 1e9);
  const notes = spool.file('agent').read(0, 10_000, 1e9);
  await lab.fake.stop();
  spool.close();
  return {
    events: events.flatMap((entry) => ('event' in entry ? [entry.event] : [])),
    notes: notes.flatMap((entry) => ('text' in entry ? [entry.text] : [])),
  };
}

it('the addresses of an oops are placed in the source before the attempt ends', async () => {
  const asked: string[] = [];
  const frames = [{ name: 'peerlab_broken', file: 'peerlab/module/broken.c', line: 12 }];
  const { events } = await oops((_bundle, { calls }) => {
    asked.push(...calls.map(({ call, isInstruction }) => `${call}${isInstruction ? '!' : ''}`));
    return Promise.resolve(calls.map(({ call }) => ({ call, frames })));
  });
  expect(asked).toEqual(['peerlab_broken+0x21/0x40!']);
  expect(events.flatMap((event) => (event.type === 'call-places' ? event.places : []))).toEqual([
    { call: 'peerlab_broken+0x21/0x40', frames },
  ]);
  expect(events.at(-1)).toMatchObject({ type: 'finished', failure: null, restored: true });
});

it('trouble with that is noted, and changes nothing', async () => {
  const { events, notes } = await oops(() => Promise.reject(new Error('no room')));
  expect(notes).toContain('symbols: not looked up: no room');
  expect(events.filter(({ type }) => type === 'call-places')).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: 'finished', failure: null, restored: true });
});
