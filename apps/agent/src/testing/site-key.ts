import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import type { SigningSettings } from '../signing/index.js';

/** A key and a certificate as an administrator makes them (infra/LAB.md), by Debian's openssl. @param more other arguments of `openssl req` */
export function makeSiteKey(folder: string, name = 'site', more: readonly string[] = []): SigningSettings {
  const [keyFile, certificateFile] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const kind = more.includes('-newkey') ? [] : ['-newkey', 'rsa:2048'];
  const args = ['req', '-x509', '-noenc', ...kind, '-days', '3650', '-subj', `/CN=Peerlab ${name}`, ...more];
  execFileSync('openssl', [...args, '-keyout', keyFile, '-out', certificateFile], { stdio: 'pipe' });
  chmodSync(keyFile, 0o600);
  return { keyFile, certificateFile };
}
