import { expect, it } from 'vitest';
import { FAILURE_POLICY, FailureClass, stageOutcome } from './failure.js';

it('of all failure classes only canceled is shown without alarm', () => {
  expect(FailureClass.options.filter((each) => FAILURE_POLICY[each].tone === 'quiet')).toEqual(['canceled']);
  expect(stageOutcome('failed', { class: 'canceled' })).toBe('stopped');
  expect(stageOutcome('failed', { class: 'provisioning' })).toBe('failed');
  expect(stageOutcome('failed', null)).toBe('failed');
  expect(stageOutcome('passed', { class: 'canceled' })).toBe('passed');
});
