import { connect } from 'node:net';

/** Time for the SSH banner. QEMU accepts forwarded connections even when no server listens in the guest. */
const BANNER_MS = 4000;

/** Whether an SSH server sends its banner on this loopback port. */
export async function answersSsh(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(BANNER_MS, () => settle(false));
    socket.once('data', (data: Buffer) => settle(data.toString('latin1').startsWith('SSH-')));
    socket.once('error', () => settle(false));
    socket.once('end', () => settle(false));
  });
}
