import { chownSync } from 'node:fs';
import { chmod, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JobFailure } from '../job/failure.js';
import type { BuildAccount } from '../sandbox/account.js';
import type { Share } from '../sandbox/sandbox.js';

/** A repository that a builder fetches from. */
export interface AllowedRepository {
  url: string;
  /** A file with `USER:PASSWORD` for it; null = anybody may read it. */
  credentialFile: string | null;
}

const FILE_MAX_BYTES = 4096;
/** One line. A token stands for the password, behind the user that the forge wants with it. */
const CREDENTIAL = /^([^:\s]{1,200}):(\S{1,2000})\n?$/;

/** Where the sandbox shows the answer of the credential helper. */
export const CREDENTIAL_FOLDER = '/credential';

/**
 * Shell: sets `auth`, options for git that answer its question for user and password of the repository $1, and of no
 * other one. The secret is neither in them nor in the environment.
 */
export const SET_AUTH = `
auth=()
if [ -f ${CREDENTIAL_FOLDER}/answer ]; then
  auth=(-c credential.useHttpPath=true
    -c "credential.$1.helper=!f() { [ \\"\\$1\\" != get ] || cat ${CREDENTIAL_FOLDER}/answer; }; f")
fi`;

/**
 * Runs a step with a folder to show to the sandbox in which git's question for a password is answered; with none where the
 * repository has no credential. The folder is gone afterwards, and no other step of the build sees it.
 * @param folder of the attempt
 * @throws JobFailure `infrastructure` where the file cannot be used, without a word of what it has
 */
export async function withCredential<T>(
  { url, credentialFile }: AllowedRepository,
  folder: string,
  account: BuildAccount | null,
  step: (shares: Share[]) => Promise<T>,
): Promise<T> {
  if (credentialFile === null) return step([]);
  const { user, password } = await readCredential(url, credentialFile);
  const own = await mkdtemp(join(folder, 'credential-'));
  try {
    const answer = join(own, 'answer');
    await writeFile(answer, `username=${user}\npassword=${password}\n`, { mode: 0o400 });
    if (account !== null) for (const path of [answer, own]) chownSync(path, account.uid, account.gid);
    await chmod(own, 0o500);
    return await step([{ from: own, to: CREDENTIAL_FOLDER }]);
  } finally {
    await chmod(own, 0o700);
    await rm(own, { recursive: true, force: true });
  }
}

async function readCredential(url: string, file: string): Promise<{ user: string; password: string }> {
  const refuse = (why: string): JobFailure =>
    new JobFailure('infrastructure', `the credential file of ${url} on the builder ${why}`);
  const opened = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    throw refuse(`cannot be read (${error.code ?? 'unknown'})`);
  });
  try {
    const { mode, size } = await opened.stat();
    if ((mode & 0o077) !== 0) throw refuse('is readable for others; chmod 600 it');
    if (size > FILE_MAX_BYTES) throw refuse(`is larger than ${FILE_MAX_BYTES} bytes`);
    const [, user, password] = CREDENTIAL.exec(await opened.readFile('utf8')) ?? [];
    if (user === undefined || password === undefined) throw refuse('has to be one line, USER:PASSWORD');
    return { user, password };
  } finally {
    await opened.close();
  }
}
