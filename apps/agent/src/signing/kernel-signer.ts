import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { MachineError } from '../machine/errors.js';
import { signImage } from './authenticode.js';

/** Files of the key and the certificate of a site, absolute. */
export interface SigningSettings {
  keyFile: string;
  certificateFile: string;
}

/** Signs kernels for machines of the site that have Secure Boot on. */
export interface KernelSigner {
  /** For messages, and for the administrator who enrols it on a machine. */
  readonly certificateFile: string;
  /** The certificate in DER, as firmware and shim keep it. */
  readonly certificate: Buffer;
  /** The signed image; the same for the same image. Throws ImageError for one that cannot be signed, MachineError('settings'). */
  sign(image: Buffer): Buffer;
}

/** Neither a key nor a certificate is longer. */
const FILE_MAX_BYTES = 64 * 1024;
/** What firmware takes; longer keys are refused by some. */
const KEY_BITS = { least: 2048, most: 4096 };
/** A certificate for modules alone: shim refuses kernels that it signed. */
const MODULES_ONLY = '1.3.6.1.4.1.2312.16.1.2';

const refuse = (file: string, problem: string, remedy: string): MachineError =>
  new MachineError('settings', `signing: ${file} ${problem}`, remedy);

function readBounded(file: string, isSecret: boolean): Buffer {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw refuse(file, `cannot be read (${code})`, 'correct signing: in the config of the agent');
  }
  try {
    const { mode, size, uid } = fstatSync(descriptor);
    if (isSecret && (mode & 0o077) !== 0) throw refuse(file, 'is open to other accounts', `chmod 600 ${file}`);
    const own = process.getuid?.();
    if (isSecret && uid !== 0 && uid !== own) {
      throw refuse(file, `belongs to the account ${uid}`, `chown it to the agent's own account`);
    }
    if (size > FILE_MAX_BYTES) throw refuse(file, `is larger than ${FILE_MAX_BYTES} bytes`, 'name the right file');
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readCertificate(file: string): X509Certificate {
  const text = readBounded(file, false);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(text);
  } catch {
    throw refuse(file, 'is no X.509 certificate in PEM or DER', 'make one, see infra/LAB.md');
  }
  if ((certificate.keyUsage as string[] | undefined)?.includes(MODULES_ONLY) === true) {
    throw refuse(file, 'is for modules alone, and signs no kernel', 'make one without that extended key usage');
  }
  return certificate;
}

function readKey(file: string): KeyObject {
  const text = readBounded(file, true);
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    // What the parser says may quote the file.
    throw refuse(file, 'is no private key in PEM without a passphrase', 'make one, see infra/LAB.md');
  } finally {
    text.fill(0);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < KEY_BITS.least || bits > KEY_BITS.most) {
    const found =
      key.asymmetricKeyType === 'rsa' ? `an RSA key of ${bits} bits` : `a key of type ${key.asymmetricKeyType}`;
    throw refuse(
      file,
      `has ${found}`,
      `make an RSA key of ${KEY_BITS.least} to ${KEY_BITS.most} bits, which firmware takes`,
    );
  }
  return key;
}

/**
 * Checks both files, and keeps the certificate alone: the key is read for each signature, and not kept. Throws
 * MachineError('settings') with the file and the remedy, never with what is in it.
 */
export function openSigner({ keyFile, certificateFile }: SigningSettings): KernelSigner {
  const certificate = readCertificate(certificateFile);
  const key = (): KeyObject => {
    const read = readKey(keyFile);
    if (certificate.checkPrivateKey(read)) return read;
    throw refuse(keyFile, `is not the key of ${certificateFile}`, 'name both files of one pair');
  };
  key();
  return {
    certificateFile,
    certificate: certificate.raw,
    sign: (image) => signImage(image, certificate, key()),
  };
}
