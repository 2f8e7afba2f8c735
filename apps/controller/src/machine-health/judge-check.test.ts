import { FAILURE_POLICY, VERDICT_TABLE, VERDICTS, type FailureClass, type Verdict } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { judgeCheck, type CheckedJob } from './judge-check.js';

const built: CheckedJob = { kind: 'build', verdict: 'pass', note: null, failures: [null], wrong: null, alarm: null };
const passed: CheckedJob = { kind: 'test', verdict: 'pass', note: null, failures: [null], wrong: null, alarm: null };
const failure = (name: FailureClass): CheckedJob['failures'][number] => ({
  class: name,
  stage: 'boot',
  message: `it was ${name}`,
  signature: null,
});
const ended = (verdict: Verdict, more: Partial<CheckedJob> = {}): CheckedJob => ({ ...passed, verdict, ...more });

describe('a health check', () => {
  it('passes only when every boot did', () => {
    expect(judgeCheck([built, passed, passed, passed], false)).toEqual({ outcome: 'passed', detail: null });
    expect(judgeCheck([built], false).outcome).toBe('inconclusive');
    expect(judgeCheck([], false).outcome).toBe('inconclusive');
  });

  it.each(VERDICTS)('says of a boot that ended as %s what its machine is', (verdict) => {
    const { conclusive, wrong } = VERDICT_TABLE[verdict];
    const expected = verdict === 'pass' ? 'passed' : conclusive && wrong ? 'failed' : 'inconclusive';
    expect(judgeCheck([built, passed, ended(verdict), passed], false).outcome).toBe(expected);
  });

  it.each(Object.keys(FAILURE_POLICY) as FailureClass[])(
    'blames the machine for %s only if the kernel would be',
    (name) => {
      const { outcome, detail } = judgeCheck([built, ended('not-reached', { failures: [failure(name)] })], false);
      expect(outcome).toBe(FAILURE_POLICY[name].finding ? 'failed' : 'inconclusive');
      expect(detail).toContain(`it was ${name}`);
    },
  );

  it('that passed with a second attempt was not in one go', () => {
    expect(judgeCheck([built, ended('pass', { failures: [failure('infrastructure'), null] })], false)).toEqual({
      outcome: 'inconclusive',
      detail: 'a boot was disturbed by the lab: it was infrastructure',
    });
  });

  it('names the test that failed, and outranks a cancelation', () => {
    const wrong = { suite: 'golden', test: 'link', verdict: 'fail' as const, reason: 'x4 instead of x16' };
    const jobs = [built, ended('fail', { wrong }), ended('canceled', { failures: [] })];
    expect(judgeCheck(jobs, true)).toEqual({ outcome: 'failed', detail: 'golden/link: fail: x4 instead of x16' });
    expect(judgeCheck([built, ended('canceled', { failures: [] })], true).outcome).toBe('canceled');
  });

  it('fails by an alarm of the hardware that nothing corrected, although every test passed', () => {
    const told = judgeCheck([built, passed, { ...passed, alarm: 'Xid 79 (0000:3b:00)' }], false);
    expect(told).toEqual({ outcome: 'failed', detail: 'hardware alarm: Xid 79 (0000:3b:00)' });
  });

  it('says nothing of the machine when the kernel was not built', () => {
    const unbuilt = { ...built, verdict: 'fail' as const, failures: [failure('build')] };
    const judged = judgeCheck([unbuilt, ended('not-reached', { failures: [], note: 'the build failed' })], false);
    expect(judged).toEqual({
      outcome: 'inconclusive',
      detail: 'the known-good kernel was not built: it was build',
    });
  });
});
