import { output, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';

/** Which kernel runs, by what it cannot mix up with another one. */
export interface KernelIdentity {
  release: string;
  /** NT_GNU_BUILD_ID in hex; empty when the kernel has none. */
  buildId: string;
  bootId: string;
  /** Value of peerlab.nonce= on the command line. */
  nonce: string | null;
  commandLine: string;
}

const READ = `cat /proc/sys/kernel/random/boot_id; uname -r; cat /proc/cmdline
od -An -v -tx1 /sys/kernel/notes | tr -d ' \\n'; echo`;

const NT_GNU_BUILD_ID = 3;

/** The build-id among ELF notes given as hex; empty when there is none. Lengths are little endian. */
export function buildIdOfNotes(hex: string): string {
  const notes = Buffer.from(hex, 'hex');
  const padded = (size: number): number => (size + 3) & ~3;
  for (let at = 0; at + 12 <= notes.length; ) {
    const nameSize = notes.readUInt32LE(at);
    const size = notes.readUInt32LE(at + 4);
    const type = notes.readUInt32LE(at + 8);
    const nameAt = at + 12;
    const dataAt = nameAt + padded(nameSize);
    if (type === NT_GNU_BUILD_ID && notes.toString('latin1', nameAt, nameAt + nameSize) === 'GNU\0') {
      return notes.toString('hex', dataAt, dataAt + size);
    }
    at = dataAt + padded(size);
  }
  return '';
}

/** Reads the output of the identity script; throws when it is not whole. */
export function parseIdentity(text: string): KernelIdentity {
  const [bootId = '', release = '', commandLine = '', notes = ''] = text.split('\n').map((line) => line.trim());
  if (!/^[0-9a-f-]{36}$/.test(bootId) || release === '') {
    throw new Error(`the machine did not say which kernel it runs: ${JSON.stringify(text.slice(0, 200))}`);
  }
  return {
    bootId,
    release,
    commandLine,
    nonce: /(?:^| )peerlab\.nonce=(\S+)/.exec(commandLine)?.[1] ?? null,
    buildId: buildIdOfNotes(notes),
  };
}

/** Four small reads, but on an emulated machine that may hardly get to run. */
const READ_MS = 120_000;

export async function identifyKernel(session: Session, signal?: AbortSignal): Promise<KernelIdentity> {
  const options = { timeoutMs: READ_MS, ...(signal === undefined ? {} : { signal }) };
  return parseIdentity(await output(session, script('identify', {}, READ), options));
}
