import { withSignedImage } from '../job/signed-image.js';
import { output, quote, script } from '../machine/command.js';
import { MachineError } from '../machine/errors.js';
import type { Session } from '../machine/protocols.js';
import { ImageError, type KernelSigner, withoutSignature } from '../signing/index.js';

/** A distribution's kernel has 8 to 20 MB. */
const IMAGE_MAX_BYTES = 64 * 1024 * 1024;
/** An emulated machine encodes and sends less than a MB in a second beside other work. */
const READ_MS = 10 * 60_000;

/** Where the image lies on the machine while it is tried. */
const RESIGNED = '/boot/peerlab-enrolment-vmlinuz';

/**
 * Puts a copy of a kernel of the machine beside it that the site signed in place of the distribution: it boots only where the firmware
 * takes the site's signature. Throws MachineError('boot-select') when the image cannot be signed.
 * @returns its path
 */
export async function placeResigned(
  session: Session,
  image: string,
  signer: KernelSigner,
  signal: AbortSignal,
): Promise<string> {
  const body = `[ "$(stat -c %s ${quote(image)})" -le ${IMAGE_MAX_BYTES} ] && base64 -w 0 ${quote(image)}`;
  const options = { signal, timeoutMs: READ_MS, maxBytes: IMAGE_MAX_BYTES * 1.4 };
  const signed = Buffer.from(await output(session, script('read-image', {}, body), options), 'base64');
  try {
    await withSignedImage(withoutSignature(signed), signer, async (file, { sha256, sizeBytes }) => {
      await session.upload(file, RESIGNED, { sha256, sizeBytes, mode: 0o644, signal });
    });
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new MachineError('boot-select', `${image} cannot be signed with the site's key: ${error.message}`);
  }
  return RESIGNED;
}

/** Fine when there is none. */
export async function removeResigned(session: Session): Promise<void> {
  await output(session, script('remove-image', {}, `rm -f ${RESIGNED} ${RESIGNED}.*`));
}
