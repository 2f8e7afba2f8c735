import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { TestFarm } from '../../testing/farm.js';
import { GuessLimit } from './guess-limit.js';

describe('the limit of guesses', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Sends wrong tokens; returns how many were looked up. */
  async function guess(limit: GuessLimit, address: string, count: number): Promise<number> {
    let looked = 0;
    for (let sent = 0; sent < count; sent += 1) {
      if ((await limit.refusedForSeconds(address)) > 0) continue;
      looked += 1;
      await limit.noteWrong(address);
    }
    return looked;
  }

  it('lets thirty wrong tokens of an address through within a minute, and says how long to wait', async () => {
    const limit = new GuessLimit();
    expect(await guess(limit, '10.0.0.1', 1000)).toBe(30);
    expect(await limit.refusedForSeconds('10.0.0.1')).toBe(60);
    expect(await limit.refusedForSeconds('10.0.0.2')).toBe(0);
    await vi.advanceTimersByTimeAsync(45_000);
    expect(await limit.refusedForSeconds('10.0.0.1')).toBe(15);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await guess(limit, '10.0.0.1', 1000)).toBe(30);
  });

  it('never allows more than that at once, however long an address sent nothing', async () => {
    const limit = new GuessLimit();
    await limit.noteWrong('a');
    await vi.advanceTimersByTimeAsync(1e9);
    expect(await guess(limit, 'a', 1000)).toBe(30);
  });

  it('remembers a bounded number of addresses', async () => {
    const limit = new GuessLimit();
    await guess(limit, 'first', 40);
    expect(await limit.refusedForSeconds('first')).toBeGreaterThan(0);
    for (let address = 0; address < 10_000; address += 1) await limit.noteWrong(`address ${address}`);
    expect(await limit.refusedForSeconds('first')).toBe(0);
  });
});

describe('guessing at the API', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start();
  });
  afterAll(() => farm.stop());

  it('is slowed down, and does not keep out a caller that has sent a right token before', async () => {
    expect((await farm.request('session', {})).status).toBe(200);
    const statuses: number[] = [];
    for (let guess = 0; guess < 60; guess += 1) {
      statuses.push((await farm.request('session', {}, `plk_user_guess${guess}`)).status);
    }
    expect(statuses[0]).toBe(401);
    expect(statuses.at(-1)).toBe(429);
    expect(statuses.filter((status) => status === 401).length).toBeLessThan(45);
    expect((await farm.request('session', {})).status).toBe(200);
    // Without a token nothing is guessed.
    expect((await farm.request('session', {}, null)).status).toBe(401);
  });
});
