import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FAKE_PACE, startFakeLab } from '../fake/fake-lab.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

it('a machine that does not answer any more is reset: its test ran out of time, and no crash is claimed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'silent-'));
  const lab = await startFakeLab(folder, {
    tests: [
      { id: 'F01', act: 'pass' },
      { id: 'F02', act: 'lose-network' },
      { id: 'F03', act: 'pass' },
    ],
  });
  const { fake, machine, bundles } = lab;
  try {
    const assignment = lab.assign();
    const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
    const pace = { ...FAKE_PACE, recoverMs: 500 };
    const { signal } = new AbortController();
    const lease = { check: () => undefined };
    await runTestJob(new AttemptContext(assignment, assignment.work, machine, bundles, spool, pace, signal, lease));
    const entries = spool.file('events').read(0, 10_000, 1e9);
    const events = entries.flatMap((entry) => ('event' in entry ? [entry.event] : []));
    const results = events.flatMap((event) =>
      event.type === 'result' ? [[event.result.test, event.result.status, event.result.reason]] : [],
    );
    expect(results).toContainEqual(['F01', 'pass', null]);
    expect(results).toContainEqual(['F02', 'timeout', 'the machine did not answer any more, and was reset']);
    expect(results).toContainEqual(['F03', 'pass', null]);
    expect(events.at(-1)).toMatchObject({ type: 'finished', restored: true });
    expect(fake.resets).toBe(1);
  } finally {
    await fake.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
