import { cleanText, COMMAND_LINE_MAX } from '@peerlab/contracts';
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

/** Bytes of /sys/kernel/notes that are read; a kernel for Xen has some hundred. */
export const NOTES_MAX_BYTES = 16 * 1024;
/** Largest build-id, in bytes: a bundle's has at most 32. */
const BUILD_ID_MAX_BYTES = 32;
/** __NEW_UTS_LEN of the kernel. */
const RELEASE_MAX = 64;
const NONCE_MAX = 64;
/** What the script may print: the notes in hex, the command line, and a little. */
const OUTPUT_MAX_BYTES = 64 * 1024;

/** Every part is cut on the machine: it is the kernel under test that makes these files. */
const READ = `head -c 64 /proc/sys/kernel/random/boot_id; uname -r | head -c 256; head -c ${COMMAND_LINE_MAX} /proc/cmdline
od -An -v -tx1 -N ${NOTES_MAX_BYTES} /sys/kernel/notes | tr -d ' \\n'; echo`;

const NT_GNU_BUILD_ID = 3;
const NOTE_HEADER_BYTES = 12;

/**
 * The build-id among ELF notes given as hex; empty when there is none. Lengths are little endian and unsigned. The
 * kernel under test wrote the notes: one that claims to reach behind their end is the last that is looked at.
 */
export function buildIdOfNotes(hex: string): string {
  const notes = Buffer.from(hex.slice(0, 2 * NOTES_MAX_BYTES), 'hex');
  // Not by bits, which would make large sizes negative.
  const padded = (size: number): number => Math.ceil(size / 4) * 4;
  for (let at = 0; at + NOTE_HEADER_BYTES <= notes.length; ) {
    const nameSize = notes.readUInt32LE(at);
    const size = notes.readUInt32LE(at + 4);
    const type = notes.readUInt32LE(at + 8);
    const nameAt = at + NOTE_HEADER_BYTES;
    const dataAt = nameAt + padded(nameSize);
    if (dataAt + size > notes.length) return '';
    if (type === NT_GNU_BUILD_ID && notes.toString('latin1', nameAt, nameAt + nameSize) === 'GNU\0') {
      return size <= BUILD_ID_MAX_BYTES ? notes.toString('hex', dataAt, dataAt + size) : '';
    }
    at = dataAt + padded(size);
  }
  return '';
}

const BOOT_ID = /^[0-9a-f-]{36}$/;
const RELEASE = new RegExp(`^[a-zA-Z0-9._+~:@-]{1,${RELEASE_MAX}}$`);
const NONCE = / peerlab\.nonce=(\S+)/;

/** Reads the output of the identity script; throws when it is not whole, or names no possible kernel. */
export function parseIdentity(text: string): KernelIdentity {
  const [bootId = '', release = '', rawCommandLine = '', notes = ''] = text
    .slice(0, OUTPUT_MAX_BYTES)
    .split('\n', 4)
    .map((line) => line.trim());
  if (!BOOT_ID.test(bootId) || !RELEASE.test(release)) {
    throw new Error(`the machine did not say which kernel it runs: ${JSON.stringify(text.slice(0, 200))}`);
  }
  const commandLine = cleanText(rawCommandLine, COMMAND_LINE_MAX);
  return {
    bootId,
    release,
    commandLine,
    nonce: NONCE.exec(` ${commandLine}`)?.[1]?.slice(0, NONCE_MAX) ?? null,
    buildId: buildIdOfNotes(notes),
  };
}

/** Four small reads, but on an emulated machine that may hardly get to run. */
const READ_MS = 120_000;

export async function identifyKernel(session: Session, signal?: AbortSignal): Promise<KernelIdentity> {
  const options = {
    timeoutMs: READ_MS,
    maxBytes: OUTPUT_MAX_BYTES,
    ...(signal === undefined ? {} : { signal }),
  };
  return parseIdentity(await output(session, script('identify', {}, READ), options));
}
