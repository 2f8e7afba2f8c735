import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageError, type KernelSigner } from '../signing/index.js';
import { formatBytes } from '../timing.js';
import { JobFailure } from './failure.js';

/** A distribution's kernel has 15 MB, one with debug checks and an initramfs in it ten times that. */
const IMAGE_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Signs an image into a file of its own, which lives while `step` runs. Throws ImageError when it cannot be signed.
 * @param step gets the signed file and what it has to be: SHA-256 in hex, and size
 */
export async function withSignedImage(
  image: Buffer,
  signer: KernelSigner,
  step: (signed: string, is: { sha256: string; sizeBytes: number }) => Promise<void>,
): Promise<void> {
  const signed = signer.sign(image);
  const folder = await mkdtemp(join(tmpdir(), 'peerlab-signed-'));
  try {
    const path = join(folder, 'vmlinuz');
    await writeFile(path, signed, { mode: 0o600 });
    await step(path, { sha256: createHash('sha256').update(signed).digest('hex'), sizeBytes: signed.length });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Signs a bundle's kernel, whose digest was checked. The bundle itself stays as it is: the signature is of this site, and the build-id
 * that proves the running kernel is the same in both. Throws JobFailure `request` for an image that cannot be signed.
 * @param step as of `withSignedImage`
 */
export async function withSignedKernel(
  file: string,
  signer: KernelSigner,
  step: (signed: string, is: { sha256: string }) => Promise<void>,
): Promise<void> {
  const { size } = await stat(file);
  if (size > IMAGE_MAX_BYTES) {
    throw new JobFailure(
      'request',
      `the kernel has ${formatBytes(size)}; more than ${formatBytes(IMAGE_MAX_BYTES)} are not signed`,
    );
  }
  try {
    await withSignedImage(await readFile(file), signer, step);
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new JobFailure(
      'request',
      `the kernel cannot be signed for Secure Boot: ${error.message}; build it with CONFIG_EFI_STUB, and without a signature`,
    );
  }
}
