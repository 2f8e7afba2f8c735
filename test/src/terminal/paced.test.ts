import { TERMINAL_PATH, UNDRAWN_MAX_BYTES, OUTPUT_MAX_BYTES, type FromTerminalUser } from '@peerlab/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import WebSocket from 'ws';
import { startTerminalFarm, type TerminalFarm } from './terminal-farm.js';

/** A terminal as a page has it: it says what it drew, and reads all that comes. */

let all: TerminalFarm;
beforeAll(async () => {
  all = await startTerminalFarm();
});
afterAll(() => all?.stop());
beforeEach(() => all.connect());
afterEach(() => all.disconnect());

interface Page {
  socket: WebSocket;
  tell: (message: FromTerminalUser) => void;
  /** Text frames, as they came. */
  frames: Record<string, unknown>[];
  received: () => number;
  printed: () => string;
}
async function open(url = all.farm.server.url, token = all.farm.userToken): Promise<Page> {
  const socket = new WebSocket(url.replace(/^http/, 'ws') + TERMINAL_PATH, { origin: url });
  const frames: Page['frames'] = [];
  let received = 0;
  let tail = '';
  socket.on('message', (data: Buffer, isBinary) => {
    if (!isBinary) return void frames.push(JSON.parse(data.toString()) as Record<string, unknown>);
    received += data.length;
    tail = (tail + data.toString()).slice(-500);
  });
  const tell = (message: FromTerminalUser): void => socket.send(JSON.stringify(message));
  await new Promise((resolve) => socket.once('open', resolve));
  tell({ type: 'open', machine: all.machine, kind: 'shell', paced: true, columns: 90, rows: 20, token });
  return { socket, tell, frames, received: () => received, printed: () => tail };
}
const until = (what: string, page: Page, text: string): Promise<unknown> =>
  all.farm.until(what, page.printed, (now) => now.includes(text));

it('is sent no more than it can draw, and all of it in the end', async () => {
  await all.reserve();
  const page = await open();
  await until('the shell', page, 'fake# ');
  page.socket.send(Buffer.from('flood 3000000\r'));
  await all.farm.until('a full window', page.received, (now) => now >= UNDRAWN_MAX_BYTES);
  // What it is not believed: more than it was sent.
  page.tell({ type: 'drawn', bytes: 1_000_000_000 });
  await all.farm.until('a beat after that', () => page.frames.at(-1)?.['type'] === 'beat');
  const stood = page.received();
  expect(stood).toBeLessThan(UNDRAWN_MAX_BYTES + OUTPUT_MAX_BYTES);
  page.tell({ type: 'drawn', bytes: stood });
  await all.farm.until('more', page.received, (now) => now >= stood + UNDRAWN_MAX_BYTES);
  const draw = setInterval(() => page.tell({ type: 'drawn', bytes: page.received() }), 5);
  await until('the end', page, 'flooded');
  clearInterval(draw);
  expect(page.received()).toBeGreaterThan(3_000_000);
  page.socket.close();
});

it('is told why it is refused, with the code of the problem', async () => {
  const page = await open();
  await all.farm.until('the refusal', () => page.frames.length > 0);
  expect(page.frames[0]).toMatchObject({ type: 'closed', code: 'not-holder' });
  const stranger = await open(all.farm.server.url, 'plk_user_wrong');
  await all.farm.until('the refusal', () => stranger.frames.length > 0);
  expect(stranger.frames[0]).toEqual({ type: 'closed', code: 'unauthorized', reason: 'the token was refused' });
});

it('is closed at the agent at once when the controller of its user stops', async () => {
  await all.reserve();
  const second = await all.farm.replica();
  const page = await open(second.url);
  await until('the shell', page, 'fake# ');
  await second.close();
  // Whoever the pass closes has not been seen for long; that was not waited for.
  const [record] = await all.records();
  expect(record).toMatchObject({ why: 'the controller of its user stopped' });
  expect(record?.closedAt).not.toBeNull();
  await all.farm.until('its end at the machine', () => all.lab.fake.ssh.shellCount === 0);
});

it('is refused to a page of another origin', async () => {
  const socket = new WebSocket(all.farm.server.url.replace(/^http/, 'ws') + TERMINAL_PATH, {
    origin: 'http://evil.example',
  });
  const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
  expect(error.message).toContain('403');
});
