import { describe, expect, it } from 'vitest';
import { ladderSteps } from './ladder-steps.js';

const line = (seq: number, text: string, more: object = {}) => ({ seq, at: 1000 + seq, text, ...more });

describe('the steps of a machine’s way', () => {
  it('are what the agent noted of booting, restoring and power, the latest last', () => {
    const lines = [
      line(0, 'flash: boot entry installed'),
      line(1, 'boot: 7.3.0-b answers 42 s after the reboot'),
      line(2, 'test: p2p-functional'),
      line(3, 'power: resetting m1'),
      line(4, 'restore: done in 31 s'),
    ];
    expect(ladderSteps(lines, 2)).toEqual([
      { seq: 3, at: 1003, text: 'power: resetting m1' },
      { seq: 4, at: 1004, text: 'restore: done in 31 s' },
    ]);
  });

  it('leave out what is lost, not fetched yet, or the rest of a long line, and are bounded', () => {
    const lines = [
      undefined,
      'gap' as const,
      line(2, `boot: \u001b[31m${'x'.repeat(5000)}`),
      line(3, 'boot: more of it', { continues: true }),
      line(4, 'reboot: not one'),
    ];
    const steps = ladderSteps(lines, 5);
    expect(steps.map(({ seq }) => seq)).toEqual([2]);
    expect(steps[0]?.text).toMatch(/^boot: x+/);
    expect(steps[0]?.text.length).toBeLessThanOrEqual(400);
  });
});
