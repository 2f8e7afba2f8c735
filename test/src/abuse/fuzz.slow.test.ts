import { once } from 'node:events';
import { AGENT_PATH, AGENT_PROTOCOL, FromAgent, FromBrowser, LIVE_PATH, ROUTES, type Route } from '@peerlab/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { AbusedController } from './abused-controller.js';
import { arbitraryOf, damaged } from './arbitrary.js';

const FRAMES = 400;
const REQUESTS_PER_ROUTE = 40;
/** Fixed, so that a failure comes again; another one by FUZZ_SEED. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_251_122);
/** The controller's own word for a frame that it could not handle. */
const CLOSE_INTERNAL = 1011;

let controller: AbusedController;
beforeAll(async () => {
  controller = await AbusedController.start();
}, 600_000);
afterAll(() => controller?.stop());

const samples = (arbitrary: fc.Arbitrary<unknown>, numRuns: number): unknown[] =>
  fc.sample(arbitrary, { numRuns, seed: SEED });

/** Sends frames one after the other, each on the same connection while that is open; gives the codes of connections that were closed. */
async function sendAll(
  frames: readonly unknown[],
  open: () => Promise<WebSocket>,
): Promise<{ frame: string; code: number }[]> {
  const closed: { frame: string; code: number }[] = [];
  let socket = await open();
  for (const frame of frames) {
    const text = JSON.stringify(frame) ?? 'null';
    // An event between two frames is not listened for: a closed connection would never answer.
    if (socket.readyState !== WebSocket.OPEN) socket = await open();
    const over = new AbortController();
    const { signal } = over;
    // Aborted waits of the other event are of no interest.
    const closing = once(socket, 'close', { signal }).then(([code]) => code as number);
    const answered = once(socket, 'pong', { signal }).then(() => null);
    socket.send(text);
    // A ping is answered at once, so only a close says that the frame was bad; it may come with a later one.
    socket.ping();
    const end = await controller.during(Promise.race([closing, answered]));
    over.abort();
    await Promise.allSettled([closing, answered]);
    if (end === null) continue;
    closed.push({ frame: text.slice(0, 300), code: end });
    socket = await open();
  }
  socket.terminate();
  return closed;
}

async function openAgent(): Promise<WebSocket> {
  const socket = new WebSocket(controller.url.replace('http', 'ws') + AGENT_PATH, {
    headers: { authorization: `Bearer ${controller.agentToken}` },
  });
  socket.on('error', () => undefined);
  await once(socket, 'open');
  socket.send(
    JSON.stringify({
      type: 'hello',
      protocol: AGENT_PROTOCOL,
      agent: 'abuser',
      site: 'lab',
      version: '0',
      capabilities: ['test'],
      buildSlots: 0,
      testSlots: null,
      machines: [],
      participants: [],
    }),
  );
  await once(socket, 'message');
  return socket;
}

async function openLive(): Promise<WebSocket> {
  const socket = new WebSocket(controller.url.replace('http', 'ws') + LIVE_PATH);
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

describe('frames made from the schemas', () => {
  it('of an agent are taken or refused, never an internal error', async () => {
    const frames = [...samples(arbitraryOf(FromAgent), FRAMES), ...samples(damaged(arbitraryOf(FromAgent)), FRAMES)];
    const closed = await sendAll(frames, openAgent);
    expect(closed.filter(({ code }) => code === CLOSE_INTERNAL)).toEqual([]);
    // Some have to be refused, or nothing was tried.
    expect(closed.length).toBeGreaterThan(20);
    expect(controller.log).not.toMatch(/could not be handled/);
    expect(await controller.answersWithin()).toBeLessThan(10_000);
  }, 600_000);

  it('of a browser are taken or answered with an error', async () => {
    const frames = [
      ...samples(arbitraryOf(FromBrowser), FRAMES),
      ...samples(damaged(arbitraryOf(FromBrowser)), FRAMES),
    ];
    const closed = await sendAll(frames, openLive);
    expect(closed.filter(({ code }) => code === CLOSE_INTERNAL)).toEqual([]);
    expect(await controller.answersWithin()).toBeLessThan(10_000);
  }, 600_000);
});

/** Pieces of a request that a route takes, or that nearly are. */
function requestsOf(route: Route): { path: string; body: string | null }[] {
  const part = (schema: Route['body'], how: (value: fc.Arbitrary<unknown>) => fc.Arbitrary<unknown>): unknown[] =>
    schema === undefined
      ? Array.from({ length: REQUESTS_PER_ROUTE }, () => undefined)
      : samples(how(arbitraryOf(schema)), REQUESTS_PER_ROUTE);
  const half = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof(value, damaged(value));
  const [params, queries, bodies] = [part(route.params, half), part(route.query, half), part(route.body, half)];
  return bodies.map((body, index) => {
    const values = (params[index] ?? {}) as Record<string, unknown>;
    const path = route.path.replace(
      /:([a-z0-9]+)/gi,
      (_whole, name: string) => encodeURIComponent(textOf(values[name])) || 'none',
    );
    const entries = Object.entries((queries[index] ?? {}) as Record<string, unknown>).map(
      ([key, value]): [string, string] => [key, textOf(value)],
    );
    const query = new URLSearchParams(entries).toString();
    return {
      path: query === '' ? path : `${path}?${query.slice(0, 4000)}`,
      body: body === undefined ? null : (JSON.stringify(body) ?? 'null'),
    };
  });
}

const textOf = (value: unknown): string => {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  // A lone surrogate has no place in a URL: fetch itself would refuse it.
  return text.slice(0, 150).replace(/[\ud800-\udfff]/gu, '\ufffd');
};

describe('requests made from the schemas', () => {
  it.each(Object.entries(ROUTES) as [string, Route][])(
    '%s is answered, or refused with a reason',
    async (_name, route) => {
      for (const { path, body } of requestsOf(route)) {
        const response = await controller.during(
          fetch(controller.url + path, {
            method: route.method,
            headers: {
              authorization: `Bearer ${controller.userToken}`,
              ...(body === null ? {} : { 'content-type': 'application/json' }),
            },
            body,
          }),
        );
        const text = await response.text();
        const isAnswer = response.status < 500 || [501, 503].includes(response.status);
        expect(
          isAnswer,
          `${route.method} ${path} ${body?.slice(0, 300)}: ${response.status} ${text.slice(0, 300)}`,
        ).toBe(true);
      }
    },
    300_000,
  );
});
