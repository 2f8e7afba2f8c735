import { LIVE_PATH, ToBrowser } from '@peerlab/contracts';
import { WebSocket } from 'ws';
import type { Client } from './client.js';

/**
 * Calls `onChange` whenever the controller says that a topic changed, and once after every
 * (re)connection, because changes may have been missed. Reconnects until closed; never rejects.
 */
export function watchTopics(
  { url, token }: Pick<Client, 'url' | 'token'>,
  topics: string[],
  onChange: () => void,
): { close: () => void } {
  let closed = false;
  let socket: WebSocket | null = null;
  let timer: NodeJS.Timeout | null = null;
  let delayMs = 250;

  const connect = (): void => {
    socket = new WebSocket(`${url.replace(/^http/, 'ws')}${LIVE_PATH}`, {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    });
    socket.on('open', () => {
      delayMs = 250;
      socket?.send(JSON.stringify({ type: 'topics', topics }));
      onChange();
    });
    socket.on('message', (data: Buffer) => {
      if (saysChanged(data.toString('utf8'))) onChange();
    });
    // An error is always followed by 'close', which connects again.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (closed) return;
      timer = setTimeout(connect, delayMs);
      delayMs = Math.min(delayMs * 2, 4000);
    });
  };
  connect();
  return {
    close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      socket?.terminate();
    },
  };
}

/** Notices are hints: one that cannot be read is as good as none, because callers read again anyway. */
function saysChanged(text: string): boolean {
  try {
    const message = ToBrowser.parse(JSON.parse(text));
    // Something may have happened between the connection and the answer to its first frame.
    return message.type === 'changed' || (message.type === 'resumed' && message.changed?.length !== 0);
  } catch {
    return false;
  }
}
