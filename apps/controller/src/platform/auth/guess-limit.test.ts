import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFarm } from '../../testing/farm.js';
import { GuessLimit } from './guess-limit.js';

describe('the limit of guesses', () => {
  it('lets thirty wrong tokens through, then one every two seconds', () => {
    let nowMs = 0;
    const limit = new GuessLimit(() => nowMs);
    let looked = 0;
    for (let guess = 0; guess < 1000; guess += 1) {
      if (!limit.allows('10.0.0.1')) continue;
      looked += 1;
      limit.noteWrong('10.0.0.1');
    }
    expect(looked).toBe(30);
    nowMs += 2_000;
    expect(limit.allows('10.0.0.1')).toBe(true);
    limit.noteWrong('10.0.0.1');
    expect(limit.allows('10.0.0.1')).toBe(false);
    expect(limit.allows('10.0.0.2')).toBe(true);
  });

  it('never allows more than the burst, however long nothing was heard', () => {
    let nowMs = 0;
    const limit = new GuessLimit(() => nowMs);
    limit.noteWrong('a');
    nowMs = 1e9;
    let looked = 0;
    while (limit.allows('a')) {
      limit.noteWrong('a');
      looked += 1;
    }
    expect(looked).toBe(30);
  });

  it('keeps a bounded number of addresses in mind', () => {
    const limit = new GuessLimit(() => 0);
    for (let guess = 0; guess < 40; guess += 1) limit.noteWrong('first');
    expect(limit.allows('first')).toBe(false);
    for (let address = 0; address < 10_000; address += 1) limit.noteWrong(`address ${address}`);
    expect(limit.allows('first')).toBe(true);
  });
});

describe('guessing at the API', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start();
  });
  afterAll(() => farm.stop());

  it('is slowed down, and does not keep out who has been here with a token', async () => {
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
