import { once } from 'node:events';
import { FromBrowser, LIVE_ACCESS, LIVE_CLOSE, LIVE_PATH, LiveTopic, ToBrowser } from '@peerlab/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { TestFarm } from '../testing/farm.js';
import { Housekeeping } from './housekeeping.js';
import { accessOfTopic } from './viewer.js';

const NOWHERE = '00000000-0000-4000-8000-000000000000';

let farm: TestFarm;
let agentToken: string;
beforeAll(async () => {
  farm = await TestFarm.start({ publicReads: false });
  agentToken = await farm.token('agent', 'lab');
});
afterAll(() => farm.stop());

describe('the live channel of a farm whose reads need a token', () => {
  const open: WebSocket[] = [];
  afterEach(() => {
    for (const socket of open.splice(0)) socket.terminate();
  });

  async function connect(token: string | null = null) {
    const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(farm.server.url.replace('http', 'ws') + LIVE_PATH, { headers });
    open.push(socket);
    const closed = once(socket, 'close').then(([code]) => code as number);
    // An upgrade that is refused ends in an error, which the caller sees.
    closed.catch(() => undefined);
    const all: ToBrowser[] = [];
    socket.on('message', (data: Buffer) => all.push(ToBrowser.parse(JSON.parse(data.toString()))));
    await once(socket, 'open');
    const send = (frame: FromBrowser): void => socket.send(JSON.stringify(frame));
    return { send, closed, all, message: async () => void (await once(socket, 'message')) };
  }
  const topics: FromBrowser = { type: 'topics', topics: ['runs'], since: null };

  it('gives nothing before the token, whatever is asked for', async () => {
    const frames: FromBrowser[] = [topics, { type: 'tail', attemptId: NOWHERE, stream: 'serial', fromSeq: 0 }];
    for (const frame of frames) {
      const page = await connect();
      page.send(frame);
      expect(await page.closed).toBe(LIVE_CLOSE.token);
      expect(page.all).toEqual([]);
    }
  });

  it('takes a token in the first frame, with the frames behind it, and ends with it', async () => {
    const secret = await farm.token('user', 'reader');
    const page = await connect();
    page.send({ type: 'sign-in', token: secret });
    page.send(topics);
    await page.message();
    expect(page.all).toMatchObject([{ type: 'resumed', changed: [] }]);
    await farm.sql.run(`update token set revoked_at = clock_timestamp() where name = 'reader'`);
    farm.server.app.get(Housekeeping).agents();
    expect(await page.closed).toBe(LIVE_CLOSE.token);
  });

  it('takes the header of a program, and refuses wrong tokens and those of agents', async () => {
    const program = await connect(farm.userToken);
    program.send(topics);
    await program.message();
    for (const token of ['plk_user_wrong', 'nonsense', agentToken]) {
      const page = await connect();
      page.send({ type: 'sign-in', token });
      page.send(topics);
      expect(await page.closed).toBe(LIVE_CLOSE.token);
      expect(page.all).toEqual([]);
    }
    await expect(connect('plk_user_wrong')).rejects.toThrow('401');
    await expect(connect(agentToken)).rejects.toThrow('403');
  });

  it('declares who may use each topic', () => {
    for (const kind of Object.keys(LIVE_ACCESS).filter((name) => name !== 'tail')) {
      const topic = kind === 'run' ? `run:${NOWHERE}` : kind;
      expect(LiveTopic.safeParse(topic).success).toBe(true);
      expect(accessOfTopic(topic)).toBe('read');
    }
    for (const topic of ['tokens', 'toString', '__proto__', '']) expect(accessOfTopic(topic)).toBeUndefined();
  });
});
