import { X509Certificate } from 'node:crypto';
import { access, chmod, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runTool } from './command.js';

/** A key pair in files: `file` private (mode 0600), `file`.pub public. */
export interface KeyPair {
  file: string;
  /** "ssh-ed25519 AAAA…", without the comment. */
  publicKey: string;
}

/** What the lab signs kernels with, for machines with Secure Boot. */
export interface SiteKey {
  keyFile: string;
  certificateFile: string;
  /** DER, as firmware keeps it. */
  certificate: Buffer;
}

/** The lab's RSA key and certificate; made by the first call. */
export async function ensureSiteKey(folder: string): Promise<SiteKey> {
  const [keyFile, certificateFile] = [join(folder, 'signing.key'), join(folder, 'signing.crt')];
  const read = async (): Promise<Buffer> => new X509Certificate(await readFile(certificateFile)).raw;
  const found = await read().catch(() => null);
  if (found === null) {
    const fresh = ['-keyout', keyFile, '-out', `${certificateFile}.new`];
    const about = ['-newkey', 'rsa:2048', '-days', '3650', '-subj', '/CN=Peerlab virtual lab'];
    await rm(keyFile, { force: true });
    await runTool('openssl', ['req', '-x509', '-noenc', ...about, ...fresh], { debianPackage: 'openssl' });
    await chmod(keyFile, 0o600);
    // Last: an interrupted call is repeated.
    await rename(`${certificateFile}.new`, certificateFile);
  }
  return { keyFile, certificateFile, certificate: found ?? (await read()) };
}

/** The Ed25519 key pair at `file`; created by the first call. */
export async function ensureKeyPair(file: string, comment: string): Promise<KeyPair> {
  const exists = await Promise.all([access(file), access(`${file}.pub`)]).then(
    () => true,
    () => false,
  );
  if (!exists) {
    await mkdir(dirname(file), { recursive: true });
    const fresh = `${file}.new`;
    await rm(fresh, { force: true });
    await runTool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', fresh], {
      debianPackage: 'openssh-client',
    });
    // The private key last: `exists` needs both, so an interrupted call is repeated.
    await rename(`${fresh}.pub`, `${file}.pub`);
    await rename(fresh, file);
  }
  await chmod(file, 0o600);
  const [type = '', key = ''] = (await readFile(`${file}.pub`, 'utf8')).trim().split(' ');
  return { file, publicKey: `${type} ${key}` };
}
