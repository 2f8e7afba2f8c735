import { access, chmod, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { runTool } from './command.js';

/** A key pair in files: `file` private (mode 0600), `file`.pub public. */
export interface KeyPair {
  file: string;
  /** "ssh-ed25519 AAAA…", without the comment. */
  publicKey: string;
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
