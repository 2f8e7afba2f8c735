import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface Account {
  uid: number;
  gid: number;
  name: string;
}

/**
 * The account that Postgres runs as: our own, or as root `postgres`, else `nobody`, because Postgres
 * refuses to run as root. `passwd` is the text of /etc/passwd.
 */
export function postgresAccount(own: Account, passwd = readFileSync('/etc/passwd', 'utf8')): Account {
  if (own.uid !== 0) return own;
  for (const wanted of ['postgres', 'nobody']) {
    const fields = passwd
      .split('\n')
      .map((line) => line.split(':'))
      .find(([name]) => name === wanted);
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]), name: wanted };
  }
  throw new Error('Postgres cannot run as root, and there is neither an account "postgres" nor "nobody"');
}

/** The first folder on the way to `path` that the account may not pass, or null. */
export function blockedFolder(path: string, account: Account): string | null {
  const folders: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    folders.unshift(at);
    if (at === dirname(at)) break;
  }
  return folders.find((folder) => existsSync(folder) && !mayPass(folder, account)) ?? null;
}

function mayPass(folder: string, account: Account): boolean {
  const { mode, uid, gid } = statSync(folder);
  if (account.uid === 0) return true;
  if (uid === account.uid) return (mode & 0o100) !== 0;
  if (gid === account.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}
