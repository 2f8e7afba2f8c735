import { connect } from 'node:net';
import { type ConsoleSource, pour } from './source.js';

/** So that a server that is gone without a word is noticed, in milliseconds. */
const KEEPALIVE_MS = 30_000;
const CONNECT_MS = 20_000;

/** A serial port behind raw TCP: ser2net, a console server's port. Nothing is ever written to it. */
export function tcpSource({ host, port }: { host: string; port: number }): ConsoleSource {
  return {
    name: `TCP ${host}:${port}`,
    read: ({ onOpen, onBytes }, signal) =>
      new Promise((resolve) => {
        const socket = connect({ host, port, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS });
        const timer = setTimeout(
          () => socket.destroy(new Error(`no connection within ${CONNECT_MS / 1000} s`)),
          CONNECT_MS,
        );
        let why = 'the other side closed the connection';
        const onAbort = (): void => void socket.destroy();
        signal.addEventListener('abort', onAbort, { once: true });
        if (signal.aborted) onAbort();
        socket.on('connect', () => {
          clearTimeout(timer);
          onOpen();
        });
        pour(socket, onBytes);
        socket.on('error', (error) => {
          why = error.message;
        });
        socket.on('close', () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          resolve(why);
        });
      }),
  };
}
