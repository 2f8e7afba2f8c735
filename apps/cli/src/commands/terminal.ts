import { once } from 'node:events';
import { StringDecoder } from 'node:string_decoder';
import {
  INPUT_MAX_BYTES,
  TERMINAL_PATH,
  ToTerminalUser,
  type FromTerminalUser,
  type TerminalKind,
} from '@peerlab/contracts';
import WebSocket, { type RawData } from 'ws';
import type { Context, Seat } from '../command.js';
import { Refused } from '../exit-codes.js';

const sizeOf = ({ stdout: { columns = 80, rows = 24 } }: Seat): { columns: number; rows: number } => ({
  columns,
  rows,
});
/** End of transmission: what a shell takes for the end of its input. */
const END_OF_INPUT = Buffer.from([4]);

/**
 * A terminal of a machine until it is over: a shell with what is typed here, or what its console prints. Writes why it ended to
 * standard error. Throws Refused when it could not be opened.
 */
export async function runTerminal(
  { api, seat, write, writeError }: Context,
  machine: string,
  kind: TerminalKind,
): Promise<void> {
  const { url } = api;
  const token = api.token();
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const socket = new WebSocket(url.replace(/^http/, 'ws') + TERMINAL_PATH, { headers });
  const tell = (message: FromTerminalUser): void => socket.send(JSON.stringify(message));
  const onResize = (): void => tell({ type: 'resize', ...sizeOf(seat) });
  let isOpened = false;
  let reason = 'the connection to the controller was lost';
  const over = new Promise<void>((resolve, reject) => {
    socket.on('close', () => resolve());
    socket.on('error', (error: Error) =>
      reject(new Refused(`the controller at ${url} opens no terminal: ${error.message}`)),
    );
  });
  socket.on('open', () => tell({ type: 'open', machine, kind, ...sizeOf(seat) }));
  const text = new StringDecoder('utf8');
  socket.on('message', (data: RawData, isBinary: boolean) => {
    const bytes = bytesOf(data);
    if (isBinary) {
      // A console prints what a machine under test likes; a shell is the person's own.
      if (kind === 'console') write(text.write(bytes));
      else if (!seat.stdout.write(bytes)) void holdBack(socket, seat.stdout);
      return;
    }
    const message = ToTerminalUser.parse(JSON.parse(bytes.toString()));
    if (message.type === 'closed') reason = message.reason;
    else {
      isOpened = true;
      if (kind === 'shell') void passOn(seat, socket);
      seat.stdout.on('resize', onResize);
    }
  });
  try {
    await over;
  } finally {
    seat.stdout.off('resize', onResize);
    if (seat.stdin.isTTY === true) seat.stdin.setRawMode?.(false);
  }
  if (!isOpened) throw new Refused(reason);
  writeError(`peerlab: ${reason}\n`);
}

/** Sends what is typed, piece by piece: what the controller does not take yet is not read. */
async function passOn({ stdin }: Seat, socket: WebSocket): Promise<void> {
  if (stdin.isTTY === true) stdin.setRawMode?.(true);
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array | string);
    for (let from = 0; from < bytes.length; from += INPUT_MAX_BYTES) {
      if (socket.readyState !== socket.OPEN) return;
      await new Promise<void>((resolve) => socket.send(bytes.subarray(from, from + INPUT_MAX_BYTES), () => resolve()));
    }
  }
  if (socket.readyState === socket.OPEN) socket.send(END_OF_INPUT);
}

async function holdBack(socket: WebSocket, stdout: NodeJS.WritableStream): Promise<void> {
  socket.pause();
  await once(stdout, 'drain');
  socket.resume();
}

const bytesOf = (data: RawData): Buffer =>
  Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? Buffer.from(data) : data;
