import {
  TERMINAL_BEAT_SECONDS,
  type FromTerminalUser,
  type TerminalKind,
  type ToTerminalUser,
} from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TerminalSession, type SessionState } from './session.js';

/** A WebSocket whose other end is the test. */
class TestSocket extends EventTarget {
  static readonly all: TestSocket[] = [];
  readonly OPEN = 1;
  readyState = 0;
  bufferedAmount = 0;
  binaryType = '';
  readonly sent: (string | Uint8Array)[] = [];

  constructor(readonly url: string) {
    super();
    TestSocket.all.push(this);
  }
  send(data: string | Uint8Array): void {
    this.sent.push(data);
  }
  close(): void {
    this.readyState = 3;
  }

  accept(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }
  says(message: ToTerminalUser | { type: 'later' }): void {
    this.#gives(JSON.stringify(message));
  }
  prints(bytes: number): void {
    this.#gives(new ArrayBuffer(bytes));
  }
  breaks(code = 1006, reason = ''): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason }));
  }
  #gives(data: unknown): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }
  get frames(): FromTerminalUser[] {
    return this.sent.flatMap((each) => (typeof each === 'string' ? [JSON.parse(each) as FromTerminalUser] : []));
  }
}

const ID = '00000000-0000-4000-8000-000000000000';
let states: SessionState[];
/** Of each piece of output: draws it. */
let draws: (() => void)[];
let allowance: number;

beforeEach(() => {
  vi.useFakeTimers();
  TestSocket.all.length = 0;
  states = [];
  draws = [];
  allowance = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

function begin(kind: TerminalKind = 'shell'): TerminalSession {
  const session = new TerminalSession({
    url: 'https://farm.example',
    machine: 'm1',
    kind,
    token: () => 'plk_user_x',
    size: () => ({ columns: 100, rows: 30 }),
    WebSocket: TestSocket as unknown as new (url: string) => WebSocket,
    onOutput: (_data, drawn) => draws.push(drawn),
    onState: (state) => states.push(state),
    allowance: () => allowance,
  });
  session.connect();
  return session;
}
const socket = (): TestSocket => {
  const newest = TestSocket.all.at(-1);
  if (newest === undefined) throw new Error('nothing was opened');
  return newest;
};
function open(kind: TerminalKind = 'shell'): TerminalSession {
  const session = begin(kind);
  socket().accept();
  socket().says({ type: 'opened', terminalId: ID });
  return session;
}

it('asks for its terminal with token and size, over TLS where the page came by it', () => {
  open();
  expect(socket().url).toBe('wss://farm.example/api/v1/terminal');
  expect(socket().frames).toEqual([
    { type: 'open', machine: 'm1', kind: 'shell', paced: true, columns: 100, rows: 30, token: 'plk_user_x' },
  ]);
  expect(states).toEqual([{ name: 'connecting' }, { name: 'open' }]);
});

it('sends what is typed in pieces, and nothing while it is not open or much waits to be sent', () => {
  const session = begin();
  socket().accept();
  expect(session.type(new Uint8Array(1))).toBe(false);
  socket().says({ type: 'opened', terminalId: ID });
  expect(session.type(new Uint8Array(10_000))).toBe(true);
  expect(socket().sent.flatMap((each) => (typeof each === 'string' ? [] : [each.length]))).toEqual([4096, 4096, 1808]);
  socket().bufferedAmount = 2 * 1024 * 1024;
  expect(session.type(new Uint8Array(1))).toBe(false);
  session.resize({ columns: 80, rows: 24 });
  expect(socket().frames.at(-1)).toEqual({ type: 'resize', columns: 80, rows: 24 });
});

it('says what was drawn, not what came', () => {
  open();
  socket().prints(100_000);
  socket().prints(5000);
  expect(socket().frames).toHaveLength(1);
  draws[0]?.();
  expect(socket().frames.at(-1)).toEqual({ type: 'drawn', bytes: 100_000 });
  draws[1]?.();
  // A small step waits for the next one.
  expect(socket().frames).toHaveLength(2);
});

it('out of sight says more than was drawn, and never takes it back', () => {
  const session = open();
  allowance = 60_000;
  socket().prints(100_000);
  expect(socket().frames.at(-1)).toEqual({ type: 'drawn', bytes: 60_000 });
  allowance = 0;
  session.allowanceChanged();
  expect(socket().frames).toHaveLength(2);
  draws[0]?.();
  expect(socket().frames.at(-1)).toEqual({ type: 'drawn', bytes: 100_000 });
});

it('tells a refusal, an end and a loss apart', () => {
  begin();
  socket().accept();
  socket().says({ type: 'closed', reason: 'm1 is not reserved', code: 'not-holder' });
  expect(states.at(-1)).toEqual({ name: 'refused', reason: 'm1 is not reserved', code: 'not-holder' });
  open();
  socket().says({ type: 'later' });
  socket().says({ type: 'closed', reason: 'the shell ended with 3' });
  expect(states.at(-1)).toEqual({ name: 'ended', reason: 'the shell ended with 3' });
  open();
  socket().breaks();
  expect(states.at(-1)).toMatchObject({ name: 'lost', isRetried: false });
  open();
  socket().breaks(4401, 'the token was revoked');
  expect(states.at(-1)).toEqual({ name: 'refused', reason: 'the token was revoked', code: 'unauthorized' });
  vi.advanceTimersByTime(120_000);
  expect(TestSocket.all).toHaveLength(4);
});

it('opens a console again after a loss, also while its agent is not back; not once it is closed', () => {
  const session = open('console');
  socket().breaks();
  expect(states.at(-1)).toMatchObject({ name: 'lost', isRetried: true });
  vi.advanceTimersByTime(500);
  socket().accept();
  socket().says({ type: 'closed', reason: 'the agent is away', code: 'agent-away' });
  expect(states.at(-1)).toEqual({ name: 'lost', reason: 'the agent is away', isRetried: true });
  vi.advanceTimersByTime(1000);
  expect(TestSocket.all).toHaveLength(3);
  socket().accept();
  socket().says({ type: 'opened', terminalId: ID });
  expect(states.at(-1)).toEqual({ name: 'open' });
  socket().breaks();
  session.close();
  vi.advanceTimersByTime(60_000);
  expect(TestSocket.all).toHaveLength(3);
});

it('tries again by itself for a shell that was never open, not for one that was', () => {
  begin();
  socket().breaks();
  expect(states.at(-1)).toMatchObject({ name: 'lost', isRetried: true });
  vi.advanceTimersByTime(500);
  expect(TestSocket.all).toHaveLength(2);
  socket().accept();
  socket().says({ type: 'opened', terminalId: ID });
  socket().breaks();
  vi.advanceTimersByTime(60_000);
  expect(TestSocket.all).toHaveLength(2);
});

it('gives up a controller that opens nothing, or is not heard any more', () => {
  const unanswered = begin();
  socket().accept();
  vi.advanceTimersByTime(20_000);
  expect(states.at(-1)).toMatchObject({ name: 'lost', reason: 'the controller does not answer' });
  unanswered.close();
  const before = states.length;
  open();
  for (let beat = 0; beat < 10; beat += 1) {
    vi.advanceTimersByTime(4 * TERMINAL_BEAT_SECONDS * 1000);
    socket().says({ type: 'beat' });
  }
  expect(states.slice(before).map(({ name }) => name)).not.toContain('lost');
  vi.advanceTimersByTime(5 * TERMINAL_BEAT_SECONDS * 1000);
  expect(states.at(-1)).toMatchObject({ name: 'lost', reason: 'the controller is not heard any more' });
  expect(socket().readyState).toBe(3);
});

it('listens no more to a connection that is over', () => {
  open();
  const first = socket();
  first.breaks();
  first.prints(100_000);
  expect(draws).toHaveLength(0);
});
