import { once } from 'node:events';
import { LIVE_PATH, LOG_BATCH_MAX } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { insertEndedAttempts, insertRun } from '../bench/fixtures.js';
import { AbusedController } from './abused-controller.js';

const LINES = 200_000;
const VIEWERS = 20;
/**
 * What a process of this size may grow by without a fault: garbage that is not collected yet, 70 to 160 when
 * seen. What is kept for those who do not read would be more than 500.
 */
const SLACK_MIB = 250;

let controller: AbusedController;
beforeAll(async () => {
  controller = await AbusedController.start();
}, 600_000);
afterAll(() => controller?.stop());

async function live(): Promise<WebSocket> {
  const socket = new WebSocket(controller.url.replace('http', 'ws') + LIVE_PATH);
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

describe('browsers that do not read', () => {
  it('while a log streams cost bounded memory, and do not hold up the log', async () => {
    const agent = await controller.agent(['m1']);
    const database = await controller.database();
    const run = await insertRun(database, 'slow readers', ['m1'], 'ended');
    const [attemptId = ''] = await insertEndedAttempts(database, run, 'abuser');
    const { rows } = await database.query<{ fence: string }>('select fence from participant where id = $1', [
      attemptId,
    ]);
    const attempt = { participantId: attemptId, fence: Number(rows[0]?.fence) };
    const viewers = await Promise.all(Array.from({ length: VIEWERS }, live));
    for (const viewer of viewers) {
      viewer.send(JSON.stringify({ type: 'tail', attemptId, stream: 'test', fromSeq: 0 }));
      viewer.pause();
    }
    const before = controller.memoryMib;
    let most = before;
    const texts = Array.from({ length: LOG_BATCH_MAX }, (_, index) => `${index} ${'x'.repeat(100)}`);
    for (let from = 0; from < LINES; from += LOG_BATCH_MAX) {
      await controller.during(agent.log(attempt, 'test', from, texts));
      most = Math.max(most, controller.memoryMib);
    }
    console.log(
      `${LINES} lines to ${VIEWERS} browsers that do not read: ${(most - before).toFixed(0)} MiB more at most`,
    );
    expect(most - before).toBeLessThan(SLACK_MIB);
    expect(await controller.answersWithin()).toBeLessThan(10_000);
    for (const viewer of viewers) viewer.terminate();
    await database.end();
    agent.vanish();
  }, 900_000);

  /** Each frame is answered whether or not the answers are read. */
  it('and send nonsense all the time cost bounded memory', async () => {
    const FRAMES = 3_000_000;
    const viewer = await live();
    viewer.pause();
    const before = controller.memoryMib;
    const isOpen = (): boolean => viewer.readyState === WebSocket.OPEN;
    for (let sent = 0; sent < FRAMES && isOpen() && controller.memoryMib - before < 2 * SLACK_MIB; sent += 10_000) {
      for (let frame = 0; frame < 10_000; frame += 1) viewer.send('x');
      // As fast as the connection takes it, and no faster: this process has to stay small itself.
      while (viewer.bufferedAmount > 1024 * 1024 && isOpen()) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const grown = controller.memoryMib - before;
    console.log(`nonsense of a browser that does not read: ${grown.toFixed(0)} MiB more`);
    viewer.terminate();
    expect(grown).toBeLessThan(SLACK_MIB);
  }, 900_000);
});
