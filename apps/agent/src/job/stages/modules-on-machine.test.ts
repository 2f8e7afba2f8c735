import { execFile } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { release as runningRelease, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tarEntry, tarFolder, tarOf } from '../../fake/tar-bytes.js';
import { CONFIG_MARK } from '../../machine/shown-config.js';
import { cleanScript } from './clean.js';
import { installDriverScript } from './install-drivers.js';
import { FOREIGN_MODULES, installModulesScript } from './install-modules.js';

const KEY = 'ab'.repeat(32);
const RELEASE = '7.3.4-peerlab-abababab';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'machine-'));
  for (const path of ['boot', 'usr/lib/modules', 'var/lib/peerlab/abababab/root']) {
    mkdirSync(join(root, path), { recursive: true });
  }
  // As on Debian.
  symlinkSync('usr/lib', join(root, 'lib'));
  writeFileSync(
    at('var/lib/peerlab/abababab/modules.tar'),
    tarOf(tarFolder(`lib/modules/${RELEASE}`), tarEntry({ name: `lib/modules/${RELEASE}/new.ko` }, 'new')),
  );
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (path: string): string => join(root, path);
const modules = (path = ''): string => at(`lib/modules/${RELEASE}/${path}`);

function sh(command: string, shell: string): Promise<number | null> {
  return new Promise((resolve) => {
    const child = execFile(shell, ['-c', command], { timeout: 20_000 }, () => resolve(child.exitCode));
  });
}

describe.each(['/bin/sh', '/bin/bash'])('modules on a machine, in %s', (shell) => {
  const paths = () => ({
    kernel: '',
    initrd: '',
    folder: at('var/lib/peerlab/abababab'),
    modules: at(`lib/modules/${RELEASE}`),
  });
  const install = (): Promise<number | null> => sh(installModulesScript(paths(), RELEASE, KEY), shell);
  const clean = (): Promise<number | null> => sh(cleanScript(root), shell);

  it('are unpacked aside, marked with the key, and gone after cleaning', async () => {
    expect(await install()).toBe(0);
    expect(readFileSync(modules('new.ko'), 'utf8')).toBe('new');
    expect(readFileSync(modules('.peerlab'), 'utf8')).toBe(`${KEY}\n`);
    expect(lstatSync(modules('new.ko')).mode & 0o7777).toBe(0o644);
    expect(lstatSync(at('lib')).isSymbolicLink()).toBe(true);
    expect(readdirSync(at('var/lib/peerlab/abababab'))).toEqual([]);
    expect(await clean()).toBe(0);
    expect(readdirSync(at('lib/modules'))).toEqual([]);
    expect(existsSync(at('var/lib/peerlab'))).toBe(false);
  });

  it('get a driver beside them, which replaces what an interrupted attempt left of it', async () => {
    const archive = (text: string): void => {
      const place = `lib/modules/${RELEASE}/updates/peerlab/toy`;
      const bytes = tarOf(tarFolder(place), tarEntry({ name: `${place}/toy.ko` }, text));
      writeFileSync(at('var/lib/peerlab/abababab/driver-toy.tar'), bytes);
    };
    const installDriver = (): Promise<number | null> => sh(installDriverScript(paths(), RELEASE, 'toy'), shell);
    expect(await install()).toBe(0);
    for (const text of ['first', 'second']) {
      archive(text);
      expect(await installDriver()).toBe(0);
      expect(readFileSync(modules('updates/peerlab/toy/toy.ko'), 'utf8')).toBe(text);
      writeFileSync(modules('updates/peerlab/toy/left.ko'), 'half');
    }
    expect(readFileSync(modules('new.ko'), 'utf8')).toBe('new');
    expect(readdirSync(at('var/lib/peerlab/abababab'))).toEqual([]);
    // Without an archive nothing is changed, and that is told.
    expect(await installDriver()).not.toBe(0);
    expect(readFileSync(modules('updates/peerlab/toy/toy.ko'), 'utf8')).toBe('second');
    expect(await clean()).toBe(0);
    expect(readdirSync(at('lib/modules'))).toEqual([]);
  });

  it('and configurations that an end in the middle left in /boot, when they have our mark', async () => {
    writeFileSync(at('boot/config-6.1.0-57-amd64'), '#\n# Automatically generated file; DO NOT EDIT.\n');
    writeFileSync(at(`boot/config-${RELEASE}`), `${CONFIG_MARK}\nCONFIG_RD_ZSTD=y\n`);
    symlinkSync(`config-${RELEASE}`, at('boot/config-link'));
    expect(await clean()).toBe(0);
    expect(readdirSync(at('boot'))).toEqual(['config-6.1.0-57-amd64', 'config-link']);
  });

  it.each<[string, () => void]>([
    ['without a mark', () => mkdirSync(modules())],
    [
      'with the mark of another bundle',
      () => {
        mkdirSync(modules());
        writeFileSync(modules('.peerlab'), `${'cd'.repeat(32)}\n`);
      },
    ],
    [
      'with a longer mark',
      () => {
        mkdirSync(modules());
        writeFileSync(modules('.peerlab'), `${KEY}x\n`);
      },
    ],
    [
      'with a mark that is a link',
      () => {
        mkdirSync(modules());
        writeFileSync(at('key'), `${KEY}\n`);
        symlinkSync(at('key'), modules('.peerlab'));
      },
    ],
  ])('never replace a folder %s', async (_, prepare) => {
    prepare();
    writeFileSync(modules('old.ko'), 'old');
    expect(await install()).toBe(FOREIGN_MODULES);
    expect(readFileSync(modules('old.ko'), 'utf8')).toBe('old');
    expect(existsSync(modules('new.ko'))).toBe(false);
  });

  it('never replace a link, and replace what the same bundle installed', async () => {
    mkdirSync(at('elsewhere'));
    writeFileSync(at('elsewhere/.peerlab'), `${KEY}\n`);
    symlinkSync(at('elsewhere'), at(`lib/modules/${RELEASE}`));
    expect(await install()).toBe(FOREIGN_MODULES);
    expect(existsSync(at('elsewhere/.peerlab'))).toBe(true);
    rmSync(at(`lib/modules/${RELEASE}`));
    mkdirSync(modules());
    writeFileSync(modules('.peerlab'), `${KEY}\n`);
    writeFileSync(modules('old.ko'), 'old');
    expect(await install()).toBe(0);
    expect(readdirSync(modules()).sort()).toEqual(['.peerlab', 'new.ko']);
  });

  it('are cleaned by their mark alone, whatever the names beside them', async () => {
    const folders: Record<string, string | null> = {
      '6.1.0-50-amd64': null,
      'ours one': `${KEY}\n`,
      'older-agent': '',
      'not a key': 'something else\n',
      'a; touch hit': null,
      '$(touch hit)': `${KEY}\n`,
      '*': null,
      [runningRelease()]: `${KEY}\n`,
    };
    for (const [name, mark] of Object.entries(folders)) {
      mkdirSync(at(`lib/modules/${name}`));
      if (mark !== null) writeFileSync(at(`lib/modules/${name}/.peerlab`), mark);
    }
    mkdirSync(at('elsewhere'));
    writeFileSync(at('elsewhere/.peerlab'), `${KEY}\n`);
    symlinkSync(at('elsewhere'), at('lib/modules/link'));
    mkdirSync(at('lib/modules/linked-mark'));
    symlinkSync(at('elsewhere/.peerlab'), at('lib/modules/linked-mark/.peerlab'));
    for (const name of ['peerlab-abababab-vmlinuz', 'peerlab-a b-vmlinuz.part', 'vmlinuz-6.1.0']) {
      writeFileSync(at(`boot/${name}`), '');
    }
    expect(await clean()).toBe(0);
    expect(readdirSync(at('lib/modules')).sort()).toEqual(
      ['*', '6.1.0-50-amd64', 'a; touch hit', 'link', 'linked-mark', 'not a key', runningRelease()].sort(),
    );
    expect(existsSync(at('elsewhere/.peerlab'))).toBe(true);
    expect(readdirSync(at('boot'))).toEqual(['vmlinuz-6.1.0']);
  });
});
