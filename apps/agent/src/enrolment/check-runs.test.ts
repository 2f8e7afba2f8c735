import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineCheckRun } from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keepCheckRun, readCheckRuns, whoRuns } from './check-runs.js';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'peerlab-check-runs-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const run = (minute: number, acted: boolean): MachineCheckRun => ({
  at: `2026-12-02T10:0${minute}:00.000Z`,
  by: 'alice',
  acted,
  list: [{ name: 'ssh', verdict: 'pass', detail: 'it answers', remedy: null }],
});

it('keeps the newest run, and the newest that acted', () => {
  expect(readCheckRuns(stateDir, 'epyc-1')).toEqual([]);
  const keep = (next: MachineCheckRun): MachineCheckRun[] => {
    keepCheckRun(stateDir, 'epyc-1', next);
    return readCheckRuns(stateDir, 'epyc-1');
  };
  expect(keep(run(1, false))).toEqual([run(1, false)]);
  expect(keep(run(2, true))).toEqual([run(2, true)]);
  expect(keep(run(3, false))).toEqual([run(3, false), run(2, true)]);
  expect(keep(run(4, false))).toEqual([run(4, false), run(2, true)]);
  expect(keep(run(5, true))).toEqual([run(5, true)]);
  expect(readCheckRuns(stateDir, 'epyc-2')).toEqual([]);
});

it.each(['', '{', '[{"at":"yesterday"}]'])('takes a damaged file for none, and replaces it: %j', (text) => {
  keepCheckRun(stateDir, 'epyc-1', run(1, true));
  writeFileSync(join(stateDir, 'checks', 'epyc-1.json'), text);
  expect(readCheckRuns(stateDir, 'epyc-1')).toEqual([]);
  keepCheckRun(stateDir, 'epyc-1', run(2, false));
  expect(readCheckRuns(stateDir, 'epyc-1')).toEqual([run(2, false)]);
});

it('names who called sudo, else the account that runs it', () => {
  expect(whoRuns({ SUDO_USER: 'alice' })).toBe('alice');
  expect(whoRuns({ SUDO_USER: 'a\u001bb' })).toBe('a\ufffdb');
  expect(whoRuns({})).not.toBe('');
});
