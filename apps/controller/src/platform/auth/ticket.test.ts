import { requestOf } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertEvidence } from '../../testing/evidence.js';
import { TestFarm } from '../../testing/farm.js';

let farm: TestFarm;
let path: string;
let other: string;
beforeAll(async () => {
  farm = await TestFarm.start({ publicReads: false });
  const story = await insertEvidence(farm.sql, 1);
  const of = (kind: 'BUS_ADDR' | 'NOT_SUPPORTED') =>
    requestOf('getRawLog', { params: { attempt: story.attempt(0, 'base', kind), stream: 'test' } }).path;
  [path, other] = [of('BUS_ADDR'), of('NOT_SUPPORTED')];
});
afterAll(() => farm?.stop());

const ticketFor = async (wanted: string): Promise<string> =>
  (await farm.call('createTicket', { body: { path: wanted } })).ticket;
const open = (url: string) => fetch(new URL(url, farm.server.url));
const status = async (url: string): Promise<number> => {
  const response = await open(url);
  await response.arrayBuffer();
  return response.status;
};

describe('a ticket of a download', () => {
  it('stands for the token in one request for its path', async () => {
    expect(await status(path)).toBe(401);
    const ticket = await ticketFor(path);
    const response = await open(`${path}?ticket=${ticket}`);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('# step 1');
    expect(await status(`${path}?ticket=${ticket}`)).toBe(401);
  });

  it('is good for no other path, and lost by the try', async () => {
    const ticket = await ticketFor(path);
    expect(await status(`${other}?ticket=${ticket}`)).toBe(401);
    expect(await status(`${path}?ticket=${ticket}`)).toBe(401);
  });

  it('ends after seconds, and with its token', async () => {
    const late = await ticketFor(path);
    await farm.sql.run(`update download_ticket set expires_at = clock_timestamp() - interval '1 second'`);
    expect(await status(`${path}?ticket=${late}`)).toBe(401);
    const revoked = await ticketFor(path);
    await farm.sql.run('update token set revoked_at = clock_timestamp()');
    expect(await status(`${path}?ticket=${revoked}`)).toBe(401);
    await farm.sql.run('update token set revoked_at = null');
    await farm.sql.run(`insert into download_ticket (hash, path, token, expires_at)
      select 'old', '/', id, clock_timestamp() - interval '1 minute' from token limit 1`);
    await ticketFor(path);
    expect(await farm.sql.exists(`select 1 from download_ticket where hash = 'old'`)).toBe(false);
  });

  it('opens no route but those of files, and nothing that it was not made as', async () => {
    const run = requestOf('listRuns', {}).path;
    expect(await status(`${run}?ticket=${await ticketFor(run)}`)).toBe(401);
    for (const made of ['', 'x', 'a'.repeat(32), "' or true --"]) {
      expect(await status(`${path}?ticket=${encodeURIComponent(made)}`)).toBe(401);
    }
    const twice = await ticketFor(path);
    expect(await status(`${path}?ticket=${twice}&ticket=${twice}`)).toBe(401);
  });

  it('is made by users alone, for paths of the API alone, and stored as a hash', async () => {
    const agent = await farm.token('agent', 'lab');
    expect((await farm.request('createTicket', { body: { path } }, agent)).status).toBe(403);
    expect((await farm.request('createTicket', { body: { path } }, null)).status).toBe(401);
    expect((await farm.request('createTicket', { body: { path: 'https://example.org/' } })).status).toBe(422);
    const ticket = await ticketFor(path);
    expect(await farm.sql.exists('select 1 from download_ticket where hash = $1', [ticket])).toBe(false);
  });
});
