import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

it('looks at what lets in the account that uses sudo', async () => {
  writeFileSync(join(folder, '.profile'), '');
  const account = mkdtempSync(join(folder, 'account-'));
  mkdirSync(join(account, '.ssh'));
  tool('getent', `[ "$1 $2" = 'passwd lab' ] && echo 'lab:x:1000:1000::${account}:/bin/sh'`);
  tool('find', `echo "$1" >>'${folder}/roots'; exit 0`);
  const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder };
  const roots = async (more: Record<string, string>): Promise<string[]> => {
    writeFileSync(join(folder, 'roots'), '');
    await promisify(execFile)('/bin/sh', ['-c', FINGERPRINT('')], { env: { ...env, ...more } });
    return readFileSync(join(folder, 'roots'), 'utf8').split('\n');
  };
  expect(await roots({})).not.toContain(join(account, '.ssh'));
  expect(await roots({ SUDO_USER: 'lab' })).toEqual(
    expect.arrayContaining([join(account, '.ssh'), join(folder, '.profile')]),
  );
});

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
