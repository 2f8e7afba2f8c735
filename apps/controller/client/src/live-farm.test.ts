import { TestFarm } from '@peerlab/controller/testing/farm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
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
    const stop = channel.watch(['runs', 'grid']);
    try {
      await vi.waitFor(() => expect(channel.state).toBe('open'), 20_000);
      // It knew of no moment, so anything may have changed.
      expect(topics).toContain(null);
      await farm.changed('runs');
      await vi.waitFor(() => expect(topics).toContain('runs'), 20_000);

      farm.settings.port = Number(new URL(farm.server.url).port);
      topics.length = 0;
      const restarted = farm.restart();
      await vi.waitFor(() => expect(channel.state).toBe('paused'), 20_000);
      expect(channel.lostAt).toBeGreaterThan(0);
      await restarted;
      await farm.changed('grid');
      await vi.waitFor(() => expect(channel.state).toBe('open'), 20_000);
      await vi.waitFor(() => expect(topics).toEqual(['grid']), 20_000);
      expect(returns).toBe(1);
    } finally {
      stop();
      channel.close();
    }
  });
});
