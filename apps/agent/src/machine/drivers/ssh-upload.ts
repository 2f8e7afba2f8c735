import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { output, quote, script } from '../command.js';
import { MachineError } from '../errors.js';
import type { Shell, UploadOptions } from '../protocols.js';

/** How the bytes of a file get to the machine. */
export interface PartWriter {
  /** @returns size in bytes of what lies there; 0 = nothing */
  size(remotePath: string, signal?: AbortSignal): Promise<number>;
  /**
   * Writes `localPath` from `startBytes` to its end into the file there, which has so many bytes; from 0 it begins
   * anew, readable by its owner alone. Asks `options.check` right before each write.
   */
  write(localPath: string, remotePath: string, startBytes: number, options: UploadOptions): Promise<void>;
}

/** Uploads under a temporary name, checks the digest on the machine, then renames. See `Files.upload`. */
export async function uploadFile(
  shell: Shell,
  parts: PartWriter,
  localPath: string,
  remotePath: string,
  options: UploadOptions,
): Promise<{ resumedAtBytes: number }> {
  const part = `${remotePath}.part`;
  let resumedAtBytes = await matchingPart(shell, parts, localPath, part, options);
  await parts.write(localPath, part, resumedAtBytes, options);
  let seen = await place(shell, part, remotePath, options);
  if (seen !== options.sha256 && resumedAtBytes > 0) {
    resumedAtBytes = 0;
    await parts.write(localPath, part, 0, options);
    seen = await place(shell, part, remotePath, options);
  }
  if (seen !== options.sha256) {
    throw new MachineError(
      'digest',
      `${remotePath} arrived damaged: expected sha256 ${options.sha256}, the machine reads ${seen}`,
      'check the disk and the network of the machine',
    );
  }
  return { resumedAtBytes };
}

/** Bytes of an earlier, interrupted upload that can be kept. */
async function matchingPart(
  shell: Shell,
  parts: PartWriter,
  localPath: string,
  part: string,
  { sizeBytes, signal }: UploadOptions,
): Promise<number> {
  const size = await parts.size(part, signal);
  if (size === 0 || size > sizeBytes) return 0;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(localPath, { end: size - 1 })) hash.update(chunk as Buffer);
  const command = script('digest', { path: part }, `sha256sum < ${quote(part)}`);
  const text = await output(shell, command, signal === undefined ? {} : { signal });
  return hash.digest('hex') === firstWord(text) ? size : 0;
}

/** Renames the part when its digest is right; gives the digest that the machine read. One command: each costs. */
async function place(shell: Shell, part: string, remotePath: string, options: UploadOptions): Promise<string> {
  const [from, to] = [quote(part), quote(remotePath)];
  const body = `sum=$(sha256sum < ${from}) && echo "$sum" || exit 1
[ "\${sum%% *}" != ${options.sha256} ] || { chmod ${options.mode.toString(8)} ${from} && mv -f ${from} ${to}; }`;
  const command = script('place-file', { from: part, to: remotePath, sha256: options.sha256 }, body);
  const said = await output(
    shell,
    options.placing?.(command) ?? command,
    options.signal === undefined ? {} : { signal: options.signal },
  );
  return firstWord(said);
}

const firstWord = (text: string): string => text.trim().split(/\s+/)[0] ?? '';
