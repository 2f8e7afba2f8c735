import { readFileSync } from 'node:fs';

/** User and group that builds run as. */
export interface BuildAccount {
  uid: number;
  gid: number;
}

/** An account of this name is used for builds when the agent runs as root; it needs no home and no shell. */
const BUILD_ACCOUNT = 'peerlab-build';

/**
 * Ids for builds of a root agent on a machine without such an account. They lie between the ids that
 * Debian gives to users and those that it assigns to packages, so they own nothing.
 */
const UNUSED_ID = 59_738;

/** Line of /etc/passwd for an account, split at the colons; null when there is none. */
function passwdEntry(name: string, passwd: string): string[] | null {
  const line = passwd.split('\n').find((each) => each.startsWith(`${name}:`));
  return line === undefined ? null : line.split(':');
}

/** The account to drop to; null when this process is not root and builds run as it does. */
export function buildAccount(
  uid = process.getuid?.() ?? 0,
  passwd = readFileSync('/etc/passwd', 'utf8'),
): BuildAccount | null {
  if (uid !== 0) return null;
  const entry = passwdEntry(BUILD_ACCOUNT, passwd);
  const ids = entry === null ? [UNUSED_ID, UNUSED_ID] : [Number(entry[2]), Number(entry[3])];
  const [accountUid = 0, gid = 0] = ids;
  // An account with id 0 would be root under another name.
  if (!Number.isInteger(accountUid) || accountUid <= 0 || !Number.isInteger(gid) || gid <= 0) {
    throw new Error(`the account ${BUILD_ACCOUNT} must have a user and a group id above 0`);
  }
  return { uid: accountUid, gid };
}
