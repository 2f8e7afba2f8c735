import { describe, expect, it } from 'vitest';
import { eventually } from './eventually.js';

describe('a wait', () => {
  it('ends with the first value that is accepted', async () => {
    let n = 0;
    expect(
      await eventually(
        'three',
        () => (n += 1),
        (value) => value === 3,
        { everyMs: 0 },
      ),
    ).toBe(3);
    expect(n).toBe(3);
  });

  it('that is in vain says what it waited for and what it saw last', async () => {
    const waiting = eventually(
      'the run to end',
      async () => ({ state: 'running' }),
      ({ state }) => state === 'ended',
      {
        limitMs: 30,
      },
    );
    await expect(waiting).rejects.toThrow("waited 0.03 s for the run to end; last seen: { state: 'running' }");
  });

  it('looks at least once, and lets an error of the look through', async () => {
    expect(await eventually('nothing', () => true, Boolean, { limitMs: 0 })).toBe(true);
    const broken = (): boolean => {
      throw new Error('no database');
    };
    await expect(eventually('anything', broken)).rejects.toThrow('no database');
  });
});
