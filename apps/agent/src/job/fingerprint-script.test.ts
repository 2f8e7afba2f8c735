import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FINGERPRINT } from './fingerprint-script.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fingerprint-script-'));
  // No file of this computer is read.
  tool('find', 'exit 0');
  tool('lsblk', `echo "$*" >>'${folder}/asked'`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function tool(name: string, body: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(folder, name), 0o755);
}

/** The disk that the script asked for, with this answer of findmnt. */
async function diskOf(findmnt: string): Promise<string> {
  tool('findmnt', findmnt);
  const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder };
  await promisify(execFile)('/bin/sh', ['-c', FINGERPRINT('')], { env });
  return readFileSync(join(folder, 'asked'), 'utf8').trim();
}

it('looks at the boot disk also where /boot is a folder of a subvolume', async () => {
  // As findmnt of util-linux 2.38 prints it; -v leaves the subvolume out.
  const btrfs = 'case $1 in -*v*) echo /dev/nvme0n1p4 ;; *) echo "/dev/nvme0n1p4[/root]" ;; esac';
  expect(await diskOf(btrfs)).toBe('-ndo PKNAME /dev/nvme0n1p4');
});
