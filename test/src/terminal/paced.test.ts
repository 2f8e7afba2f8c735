import {
  TERMINAL_PATH,
  UNDRAWN_MAX_BYTES,
  OUTPUT_MAX_BYTES,
  type FromTerminalUser,
  type TerminalKind,
} from '@peerlab/contracts';
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
async function open({
  url = all.farm.server.url,
  token = all.farm.userToken,
  machine = all.machine,
  kind = 'shell',
}: {
  url?: string;
  token?: string;
  machine?: string;
  kind?: TerminalKind;
} = {}): Promise<Page> {
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
  tell({ type: 'open', machine, kind, paced: true, columns: 90, rows: 20, token });
  return { socket, tell, frames, received: () => received, printed: () => tail };
}
const until = (what: string, page: Page, text: string): Promise<unknown> =>
  all.farm.until(what, page.printed, (now) => now.includes(text));

it('is sent no more than it can draw, and all of it in the end', async () => {
  await all.reserve();
  const page = await open();
  await until('the shell', page, 'fake# ');
  page.socket.send(Buffer.from('flood 1000000\r'));
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
  expect(page.received()).toBeGreaterThan(1_000_000);
  page.socket.close();
});

it('is told why it is refused, with the code of the problem', async () => {
  const page = await open();
  await all.farm.until('the refusal', () => page.frames.length > 0);
  expect(page.frames[0]).toMatchObject({ type: 'closed', code: 'not-holder' });
  const stranger = await open({ token: 'plk_user_wrong' });
  await all.farm.until('the refusal', () => stranger.frames.length > 0);
  expect(stranger.frames[0]).toEqual({ type: 'closed', code: 'unauthorized', reason: 'the token was refused' });
});

it('is closed at the agent at once when the controller of its user stops', async () => {
  await all.reserve();
  const second = await all.farm.replica();
  const page = await open({ url: second.url });
  await until('the shell', page, 'fake# ');
  await second.close();
  // Whoever the pass closes has not been seen for long; that was not waited for.
  const [record] = await all.records();
  expect(record).toMatchObject({ why: 'the controller of its user stopped' });
  expect(record?.closedAt).not.toBeNull();
  await all.farm.until('its end at the machine', () => all.lab.fake.ssh.shellCount === 0);
});

it('is counted by who has it, not by an address that many may share', async () => {
  const machines = Object.fromEntries(['x1', 'x2', 'x3'].map((name) => [name, 'BUS_ADDR' as const]));
  const agent = await all.farm.agent(machines, { name: 'elsewhere' });
  await all.farm.sql.run(`update agent set opens_terminals = true where name = 'elsewhere'`);
  const ann = await all.farm.token('user', 'ann');
  const pages: Page[] = [];
  for (let at = 0; at < 16; at += 1)
    pages.push(await open({ token: ann, machine: at < 8 ? 'x1' : 'x2', kind: 'console' }));
  const opened = () => pages.filter(({ frames }) => frames[0]?.['type'] === 'opened').length;
  await all.farm.until('all of them', opened, (count) => count === 16);
  const more = await open({ token: ann, machine: 'x3', kind: 'console' });
  await all.farm.until('the refusal', () => more.frames[0]?.['code'] === 'too-many-connections');
  const bob = await open({ token: await all.farm.token('user', 'bob'), machine: 'x3', kind: 'console' });
  await all.farm.until('another user', () => bob.frames[0]?.['type'] === 'opened');
  for (const { socket } of [...pages, bob]) socket.terminate();
  agent.vanish();
});

it('is refused to a page of another origin', async () => {
  const socket = new WebSocket(all.farm.server.url.replace(/^http/, 'ws') + TERMINAL_PATH, {
    origin: 'http://evil.example',
  });
  const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
  expect(error.message).toContain('403');
});
