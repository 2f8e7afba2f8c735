import { type Socket, connect } from 'node:net';

/**
 * Forwarded ports accept connections on behalf of a machine that is still booting, and only a new
 * connection notices that it came up; a busy machine, on the other hand, takes its time to greet.
 * So further connections are opened beside the first, and the first one to be greeted is taken. Ever
 * more slowly: each costs the machine a process, and one that gets little CPU would never greet anybody
 * if they came faster than it answers.
 */
const ANOTHER_AFTER_MS = 3_000;
const ANOTHER_AT_MOST_AFTER_MS = 15_000;

/**
 * A TCP connection whose other end has said something; the socket is paused and what was said is
 * still to be read. Rejects when every connection was refused (with the error of the last one) or closed, or after `timeoutMs`.
 */
export function openSpeakingSocket(
  host: string,
  port: number,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const waiting = new Set<Socket>();
    const finish = (act: () => void): void => {
      clearTimeout(deadline);
      clearTimeout(another);
      signal?.removeEventListener('abort', onAbort);
      for (const socket of waiting) socket.destroy();
      waiting.clear();
      act();
    };
    const open = (): void => {
      const socket = connect({ host, port, noDelay: true });
      waiting.add(socket);
      let problem = new Error('the connection was closed before the server said anything');
      const onData = (chunk: Buffer): void => {
        socket.pause();
        socket.removeListener('data', onData);
        socket.removeListener('close', onClose);
        socket.removeListener('error', onError);
        waiting.delete(socket);
        socket.unshift(chunk);
        finish(() => resolve(socket));
      };
      const onError = (error: Error): void => {
        problem = error;
      };
      const onClose = (): void => {
        if (waiting.delete(socket) && waiting.size === 0) finish(() => reject(problem));
      };
      socket.on('data', onData);
      socket.on('error', onError);
      socket.on('close', onClose);
    };
    const onAbort = (): void => finish(() => reject(new Error('aborted')));
    signal?.addEventListener('abort', onAbort, { once: true });
    const deadline = setTimeout(
      () => finish(() => reject(new Error(`no greeting within ${timeoutMs / 1000} s`))),
      timeoutMs,
    );
    let pauseMs = ANOTHER_AFTER_MS;
    const openAnother = (): NodeJS.Timeout =>
      setTimeout(() => {
        open();
        pauseMs = Math.min(2 * pauseMs, ANOTHER_AT_MOST_AFTER_MS);
        another = openAnother();
      }, pauseMs);
    let another = openAnother();
    open();
  });
}
