import { connect } from 'node:net';
import { MachineError } from '../errors.js';
import { LineSplitter } from '../lines.js';
import type { Power } from '../protocols.js';

/** QEMU serves one monitor client at a time; a longer wait means that somebody else holds it. */
const QMP_TIMEOUT_MS = 15_000;

/** Runs one QMP command and gives its `return` value. Rejects with MachineError('power'), or as `signal` says. */
export async function qmp(socketPath: string, command: string, signal?: AbortSignal): Promise<unknown> {
  const wrong = (why: string): MachineError =>
    new MachineError(
      'power',
      `the QEMU monitor ${socketPath} ${why}`,
      'check power.qmpSocket, that QEMU runs, and that no other client holds its monitor',
    );
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let settled = false;
    const settle = (act: () => void): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.destroy();
      act();
    };
    const timer = setTimeout(() => settle(() => reject(wrong('does not answer'))), QMP_TIMEOUT_MS);
    const onAbort = (): void => settle(() => reject(signal?.reason as Error));
    signal?.addEventListener('abort', onAbort, { once: true });
    const splitter = new LineSplitter((line) => {
      const message = JSON.parse(line) as {
        QMP?: unknown;
        return?: unknown;
        id?: string;
        error?: { desc?: string };
      };
      if (message.QMP !== undefined) {
        socket.write(`${JSON.stringify({ execute: 'qmp_capabilities', id: 'hello' })}\n`);
      } else if (message.error !== undefined) {
        settle(() => reject(wrong(`refused ${command}: ${message.error?.desc ?? 'no reason given'}`)));
      } else if (message.id === 'hello') {
        socket.write(`${JSON.stringify({ execute: command, id: 'work' })}\n`);
      } else if (message.id === 'work') {
        settle(() => resolve(message.return));
      }
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        splitter.push(chunk);
      } catch {
        settle(() => reject(wrong('does not speak QMP')));
      }
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      settle(() => reject(wrong(`cannot be reached (${error.code ?? error.message})`))),
    );
    socket.on('close', () => settle(() => reject(wrong('hung up'))));
  });
}

/** Power of a QEMU machine through its QMP socket. */
export function createQemuPower(settings: { qmpSocket: string }): Power {
  return {
    async reset(signal) {
      await qmp(settings.qmpSocket, 'system_reset', signal);
    },
    async status(signal) {
      const answer = (await qmp(settings.qmpSocket, 'query-status', signal)) as { running?: boolean };
      return answer.running === true ? 'on' : 'off';
    },
  };
}
