import { TestFarm } from '@peerlab/controller/testing/farm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { LiveChannel } from './live-channel.js';

describe('with a controller', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start();
  });
  afterAll(() => farm?.stop());

  it('hears of changes, survives a restart of the controller, and hears what changed meanwhile', async () => {
    const topics: (string | null)[] = [];
    let returns = 0;
    const channel = new LiveChannel({
      url: farm.server.url,
      token: () => farm.userToken,
      WebSocket,
      since: null,
      onChanged: (topic) => topics.push(topic),
      onReturn: () => (returns += 1),
    });
    const inState = (wanted: typeof channel.state) =>
      farm.until(
        `the channel to be ${wanted}`,
        () => channel.state,
        (state) => state === wanted,
      );
    const stop = channel.watch(['runs', 'grid']);
    try {
      await inState('open');
      // It knew of no moment, so anything may have changed.
      expect(topics).toContain(null);
      await farm.changed('runs');
      await farm.until('news of runs', () => topics.includes('runs'));

      farm.settings.port = Number(new URL(farm.server.url).port);
      topics.length = 0;
      const restarted = farm.restart();
      await inState('paused');
      expect(channel.lostAt).toBeGreaterThan(0);
      await restarted;
      await farm.changed('grid');
      await inState('open');
      await farm.until('news of the grid', () => topics.length > 0);
      expect(topics).toEqual(['grid']);
      expect(returns).toBe(1);
    } finally {
      stop();
      channel.close();
    }
  });
});
