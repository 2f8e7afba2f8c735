import { createSocket } from 'node:dgram';
import type { ConsoleSource } from './source.js';

/** Datagrams that wait while the record is full; more are dropped, as on a network. */
const WAITING_MAX = 1000;

/**
 * What a kernel sends by netconsole: each datagram is text. It begins when the kernel's network card is up, so it has neither
 * the firmware nor the boot loader, and no first line. Datagrams of other senders are left out.
 */
export function netconsoleSource({ host, port, from }: { host: string; port: number; from: string }): ConsoleSource {
  return {
    name: `netconsole from ${from} on UDP ${host}:${port}`,
    read: ({ onOpen, onBytes }, signal) =>
      new Promise((resolve) => {
        const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
        const waiting: Buffer[] = [];
        let why = 'the agent stops';
        let pouring: Promise<void> | null = null;
        const pour = async (): Promise<void> => {
          for (let bytes = waiting.shift(); bytes !== undefined; bytes = waiting.shift()) await onBytes(bytes);
          pouring = null;
        };
        const onAbort = (): void => void socket.close();
        socket.on('message', (bytes, { address }) => {
          if (address !== from && address !== `::ffff:${from}`) return;
          if (waiting.length < WAITING_MAX) waiting.push(bytes);
          pouring ??= pour();
        });
        socket.on('error', (error) => {
          why = error.message;
          socket.close();
        });
        socket.on('close', () => {
          signal.removeEventListener('abort', onAbort);
          resolve(why);
        });
        signal.addEventListener('abort', onAbort, { once: true });
        if (signal.aborted) onAbort();
        else socket.bind(port, host, onOpen);
      }),
  };
}
