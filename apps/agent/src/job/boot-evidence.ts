import { createCrashWatch } from '@peerlab/contracts';
import type { SerialLine } from './serial-recorder.js';

/** Why the default kernel came back instead of the candidate, as the console tells it. */
export type BootEvidence =
  | { kind: 'crash'; signature: string; fromSeq: number }
  | { kind: 'not-loaded'; message: string; fromSeq: number }
  | { kind: 'started'; fromSeq: number }
  | { kind: 'nothing' };

const GRUB_ERROR = /^error: (?!can't find command)(.+?)\.?$/;

/**
 * Reads the console lines between the reboot and the return of the default kernel. `release` is the
 * candidate's, so that its first line can be told from the default kernel's.
 */
export function readBootEvidence(lines: readonly SerialLine[], release: string): BootEvidence {
  const watch = createCrashWatch();
  let started: number | null = null;
  let notLoaded: { message: string; fromSeq: number } | null = null;
  for (const line of lines) {
    watch.push(line.text);
    const error = GRUB_ERROR.exec(line.text.trim());
    if (error !== null && started === null) notLoaded ??= { message: error[1] ?? '', fromSeq: line.seq };
    if (line.text.includes('peerlab-grub: the image was not loaded')) {
      notLoaded ??= { message: 'no reason given', fromSeq: line.seq };
    }
    if (line.text.includes(`Linux version ${release} `)) started ??= line.seq;
  }
  const crash = watch.crash();
  if (crash !== null) {
    return { kind: 'crash', signature: crash.signature, fromSeq: lines[crash.firstLine]?.seq ?? 0 };
  }
  if (notLoaded !== null) return { kind: 'not-loaded', ...notLoaded };
  return started === null ? { kind: 'nothing' } : { kind: 'started', fromSeq: started };
}
