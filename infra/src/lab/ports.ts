import { createServer } from 'node:net';
import { LabError } from './errors.js';

/** @throws LabError naming the port, the machine and the option that changes it, when the loopback port is taken */
export async function assertPortFree(port: number, machine: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${error.message})`;
      reject(
        new LabError(
          `port ${port}, for SSH to ${machine}, ${why}`,
          'choose other ports with --lab-port-base or PEERLAB_LAB_PORT_BASE (lab alone: --port-base)',
        ),
      );
    });
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });
}
