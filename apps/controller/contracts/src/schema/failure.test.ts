import { expect, it } from 'vitest';
import { FAILURE_POLICY, FailureClass, stageOutcome } from './failure.js';

it('of all failure classes only those that follow from another cause are shown without alarm', () => {
  expect(FailureClass.options.filter((each) => FAILURE_POLICY[each].tone === 'quiet')).toEqual(['canceled', 'peer']);
  expect(stageOutcome('failed', { class: 'canceled' })).toBe('stopped');
  expect(stageOutcome('failed', { class: 'provisioning' })).toBe('failed');
  expect(stageOutcome('failed', null)).toBe('failed');
  expect(stageOutcome('passed', { class: 'canceled' })).toBe('passed');
});
