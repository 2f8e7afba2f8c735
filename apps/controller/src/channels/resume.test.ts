import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { LIVE_PATH, ToBrowser } from '@peerlab/contracts';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { announce } from '../platform/database/bus.js';
import { pgOptions } from '../platform/database/connection.js';
import { createTestDatabase } from '../testing/database.js';
import { TestFarm } from '../testing/farm.js';
import { ChangeFeed, snapshotOf } from './change-feed.js';
import { LiveGateway } from './live.gateway.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

/** A browser that watches runs and machines, and comes with a cursor. */
async function browser(url: string, since: string | null) {
  const socket = new WebSocket(url.replace('http', 'ws') + LIVE_PATH);
  const all: ToBrowser[] = [];
  socket.on('message', (data: Buffer) => all.push(ToBrowser.parse(JSON.parse(data.toString()))));
  await once(socket, 'open');
  const send = (message: unknown): void => socket.send(JSON.stringify(message));
  send({ type: 'topics', topics: ['runs', 'machines'], since });
  const next = async <T extends ToBrowser['type']>(type: T): Promise<Extract<ToBrowser, { type: T }>> => {
    for (;;) {
      const at = all.findIndex((message) => message.type === type);
      if (at >= 0) return all.splice(at, 1)[0] as Extract<ToBrowser, { type: T }>;
      await once(socket, 'message');
    }
  };
  const { cursor, changed } = await next('resumed');
  return { all, next, send, cursor, changed, close: () => socket.terminate() };
}
const change = (...topics: string[]) => announce(farm.sql, { type: 'changed', topics });
const feed = () => farm.server.app.get(ChangeFeed);

describe('a browser that comes back', () => {
  it('is told nothing when nothing changed, and of what changed exactly once', async () => {
    const first = await browser(farm.server.url, null);
    expect(first.changed).toEqual([]);
    first.close();
    const second = await browser(farm.server.url, first.cursor);
    expect(second.changed).toEqual([]);
    second.close();
    await change('machines', 'builds');
    await change('machines');
    const third = await browser(farm.server.url, second.cursor);
    expect(third.changed).toEqual(['machines']);
    third.close();
    expect((await browser(farm.server.url, third.cursor)).changed).toEqual([]);
  });

  it('may come back to the same controller after a restart, and to another one', async () => {
    const first = await browser(farm.server.url, null);
    await farm.restart();
    const second = await browser(farm.server.url, first.cursor);
    expect(second.changed).toEqual([]);
    second.close();
    await change('runs');
    const other = await farm.replica();
    try {
      const third = await browser(other.url, second.cursor);
      expect(third.changed).toEqual(['runs']);
      third.close();
      expect((await browser(farm.server.url, third.cursor)).changed).toEqual([]);
    } finally {
      await other.close();
    }
  });

  it('misses nothing of a transaction that began before another one and ended after it', async () => {
    const client = await farm.sql.pool.connect();
    await client.query('begin');
    await client.query('select pg_current_xact_id()');
    await change('machines');
    const early = await browser(farm.server.url, null);
    expect(early.changed).toEqual([]);
    early.close();
    await client.query(`insert into change (xact, topic) values (pg_current_xact_id()::text::bigint, 'runs')`);
    await client.query('commit');
    client.release();
    const late = await browser(farm.server.url, early.cursor);
    expect(late.changed).toEqual(['runs']);
    late.close();
  });

  it('has to fetch all when nobody remembers: another farm, nonsense, or too long ago', async () => {
    const page = await browser(farm.server.url, null);
    page.close();
    const [place = '', snapshot = ''] = page.cursor.split('/');
    for (const cursor of [`1.1/${snapshot}`, 'nonsense', `${place}/9:1:`, `${place}/1:9:9999999999999999999`]) {
      expect((await browser(farm.server.url, cursor)).changed).toBeNull();
    }
    await change('runs');
    await change('machines');
    await farm.sql.run(`update change set at = at - interval '2 hours'`);
    // Transactions of other tests, which run in the same cluster, may put it off.
    await farm.until(
      'the older change to be forgotten',
      async () => {
        await feed().forget();
        return farm.sql.rows('select topic from change');
      },
      (left) => isDeepStrictEqual(left, [{ topic: 'machines' }]),
    );
    expect((await browser(farm.server.url, page.cursor)).changed).toBeNull();
    const fresh = await browser(farm.server.url, null);
    expect((await browser(farm.server.url, fresh.cursor)).changed).toEqual([]);
  });
});

describe('a long transaction in another database of the cluster', () => {
  it('makes no later cursor unknown: what is newer than its start is not forgotten', async () => {
    const elsewhere = await createTestDatabase();
    const client = new Client(pgOptions(elsewhere.address));
    try {
      await client.connect();
      await change('runs');
      await client.query('begin');
      await client.query('select pg_current_xact_id()');
      await change('machines');
      await farm.sql.run(`update change set at = at - interval '2 hours'`);
      await feed().forget();
      const first = await browser(farm.server.url, null);
      first.close();
      await client.query('commit');
      expect((await browser(farm.server.url, first.cursor)).changed).toEqual([]);
    } finally {
      await client.end();
      await elsewhere.drop();
    }
  });
});

describe('a browser that stays', () => {
  it('gets the cursor with the last change of several, and hears where it is when nothing changes', async () => {
    const page = await browser(farm.server.url, null);
    await change('runs', 'machines', 'grid');
    const told = [await page.next('changed'), await page.next('changed')];
    expect(told.map(({ topic }) => topic).toSorted()).toEqual(['machines', 'runs']);
    expect(told.map(({ cursor }) => cursor !== undefined)).toEqual([false, true]);
    farm.server.app.get(LiveGateway).beat();
    const { cursor } = await page.next('cursor');
    page.close();
    expect((await browser(farm.server.url, cursor)).changed).toEqual([]);
  });

  it('is told once of what happens while others come', async () => {
    const page = await browser(farm.server.url, null);
    await change('runs');
    const others = await Promise.all(Array.from({ length: 20 }, () => browser(farm.server.url, page.cursor)));
    await page.next('changed');
    for (const other of others) {
      const told = [...(other.changed ?? []), ...other.all.flatMap((m) => (m.type === 'changed' ? [m.topic] : []))];
      expect(told).toEqual(['runs']);
      other.close();
    }
    farm.server.app.get(LiveGateway).beat();
    await page.next('cursor');
    expect(page.all.filter(({ type }) => type === 'changed')).toEqual([]);
    page.close();
  });
});

it('what a controller of the version before announces is noted for it, and told', async () => {
  const [stays, goes] = [await browser(farm.server.url, null), await browser(farm.server.url, null)];
  goes.close();
  const bare = JSON.stringify({ type: 'changed', topics: ['machines', 'builds'] });
  await farm.sql.run(`select pg_notify('peerlab', $1)`, [bare]);
  expect((await stays.next('changed')).topic).toBe('machines');
  expect((await browser(farm.server.url, goes.cursor)).changed).toEqual(['machines']);
  stays.close();
});

it('a browser that adds a topic hears of a change right before', async () => {
  const page = await browser(farm.server.url, null);
  await change('builds');
  page.send({ type: 'topics', topics: ['runs', 'builds'], since: page.cursor });
  const { changed, cursor } = await page.next('resumed');
  expect(changed).toEqual(['builds']);
  await change('builds');
  expect((await page.next('changed')).topic).toBe('builds');
  expect((await browser(farm.server.url, cursor)).changed).toEqual([]);
  page.close();
});

it('needs no right in Postgres that an ordinary owner of a database has not', async () => {
  const client = await farm.sql.pool.connect();
  await client.query('begin');
  await client.query('create role plain');
  await client.query('set local role plain');
  const { rows } = await client.query('select system_identifier, pg_current_snapshot() from pg_control_system()');
  expect(rows).toHaveLength(1);
  await client.query('rollback');
  client.release();
});

it('reads only snapshots that Postgres takes', () => {
  const read = (text: string) => snapshotOf(`p/${text}`, 'p');
  expect(read('5:5:')).toBe('5:5:');
  expect(read('5:9:6,8')).toBe('5:9:6,8');
  for (const text of ['0:5:', '6:5:', '5:9:8,6', '5:9:4', '5:9:9', '5:9:6,6', '5:9', '5:9:6,', 'a:b:']) {
    expect(read(text)).toBeNull();
  }
  expect(snapshotOf('q/5:5:', 'p')).toBeNull();
  expect(snapshotOf(null, 'p')).toBeNull();
});
