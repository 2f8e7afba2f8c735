import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeLoaders, loaderFactsScript, readLoaderFacts } from '../detect-loader.js';
import type { ExecOptions, ExecResult, Session } from '../protocols.js';
import { CANDIDATE_ENTRY, createGrubBootSelect, GRUB, GRUB2 } from './grub.js';
import { createBootNextSelect, readBootManagerLine } from './boot-next.js';
import { createKexecSelect } from './kexec.js';
import { createSystemdBootSelect, readSystemdBootLine } from './systemd-boot.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'loaders-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (path: string): string => join(root, path);
function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
  chmodSync(at(path), mode);
}
const tool = (name: string, body: string): void => put(`bin/${name}`, `#!/bin/sh\n${body}\n`, 0o755);

/** A shell that runs the driver's own scripts, with our tools in front of the system's. */
const session = {
  exec: (command: string, { stdin = '' }: ExecOptions = {}): Promise<ExecResult> =>
    new Promise((resolve) => {
      const env = { PATH: `${at('bin')}:/usr/bin:/bin` };
      const child = spawn('/bin/sh', ['-c', command], { env });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      child.on('close', (code, signal) => resolve({ stdout, stderr, code, signal }));
      // It may end without having read it.
      child.stdin.on('error', () => undefined);
      child.stdin.end(stdin);
    }),
} as unknown as Session;

const GUID = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
/** As efivarfs, which lets nobody seek: tail gives up on such a file. */
const noSeeking = (): void =>
  tool(
    'tail',
    '[ $# = 2 ] && [ -p /dev/stdin ] && exec /usr/bin/tail "$@"\necho "tail: cannot seek to offset 4: Illegal seek" >&2; exit 1',
  );

/** As the firmware shows a variable: attributes, then UTF-16. */
const variable = (name: string, text: string): void =>
  put(
    `sys/firmware/efi/efivars/${name}-${GUID}`,
    `\x07\0\0\0${Buffer.from(`${text}\0`, 'utf16le').toString('latin1')}`,
  );

/** A GRUB environment block as lines, which is enough for the driver. */
const EDITENV = `file=$1; shift
without() { grep -v "^$1=" "$file" >"$file.new"; mv "$file.new" "$file"; }
case $1 in
list) cat "$file" ;;
set) without "\${2%%=*}"; echo "$2" >>"$file" ;;
unset) without "$2" ;;
esac`;

describe.each([
  ['grub', GRUB],
  ['grub2', GRUB2],
] as const)('GRUB by its driver %s', (driver, standard) => {
  const folder = (): string => at(`boot/${driver}`);
  const boot = () => createGrubBootSelect({ ...standard, folder: folder() });
  /** The tools of this layout alone: those of the other one would fail. */
  const grubTool = (name: string, body: string): void => tool(`${driver}-${name}`, body);
  const install = (): Promise<void> =>
    boot().install(session, {
      kernelPath: '/boot/k-vmlinuz',
      initrdPath: '/boot/k-initrd.img',
      commandLine: 'peerlab.nonce=ab',
    });
  /** What grub-probe says of /boot: its file system, and what lies below that. */
  const lies = (fileSystem: string, abstraction = ''): void =>
    grubTool(
      'probe',
      `case $1 in
--target=abstraction) echo "${abstraction}" ;;
--target=fs) echo ${fileSystem} ;;
--target=fs_uuid) echo 0b5e5f0a-4a0e-4a6e-9d7c-0d9f5a3c8b11 ;;
*) exit 1 ;;
esac`,
    );
  beforeEach(() => {
    put(`boot/${driver}/custom.cfg`, "menuentry 'rescue' { true }\n");
    put(`boot/${driver}/grub.cfg`, 'set default="${next_entry}"\nsource custom.cfg\n');
    put(`boot/${driver}/grubenv`, 'saved_entry=debian\n');
    for (const name of ['reboot', 'editenv', 'mkrelpath', 'probe'])
      tool(`${driver === 'grub' ? 'grub2' : 'grub'}-${name}`, 'echo "the tool of another layout" >&2; exit 1');
    grubTool('editenv', EDITENV);
    grubTool('reboot', `exec ${driver}-editenv ${folder()}/grubenv set next_entry="$1"`);
    grubTool('mkrelpath', 'echo "${1#/boot}"');
    lies('ext2');
  });

  it('names the files as it sees them, on their own file system', async () => {
    await install();
    const config = readFileSync(join(folder(), 'custom.cfg'), 'utf8');
    expect(config).toMatch(/^menuentry 'rescue' \{ true \}\n/);
    expect(config).toContain('--set=root 0b5e5f0a-4a0e-4a6e-9d7c-0d9f5a3c8b11\n');
    expect(config).toContain('linux /k-vmlinuz peerlab.nonce=ab;');
    expect(config).toContain('initrd /k-initrd.img;');
  });

  it.each([
    ['mkrelpath', 'echo "grub-mkrelpath: error: cannot find a device for /boot" >&2; exit 1', 'cannot find a device'],
    ['mkrelpath', 'exit 0', `${driver}-mkrelpath /boot/k-vmlinuz`],
    ['probe', 'echo "error: unknown filesystem" >&2; exit 1', 'unknown filesystem'],
    ['probe', 'echo "not one"', 'names the file system of /boot/k-vmlinuz "not one", which is no UUID'],
  ])('writes no entry that it would not find: %s with "%s"', async (name, body, message) => {
    grubTool(name, body);
    await expect(install()).rejects.toMatchObject({
      kind: 'boot-select',
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(`${driver}-probe --target=`),
    });
    expect(readFileSync(join(folder(), 'custom.cfg'), 'utf8')).toBe("menuentry 'rescue' { true }\n");
  });

  const environment = (): string => readFileSync(join(folder(), 'grubenv'), 'utf8');

  it('boots its entry once, beside those of the distribution: selected, read back, and gone afterwards', async () => {
    const bls = 'title Fedora\nlinux /vmlinuz-6.11\noptions $kernelopts\n';
    put('boot/loader/entries/fedora.conf', bls);
    await boot().preflight(session);
    await install();
    expect(await boot().pending(session)).toBeNull();
    await boot().selectOnce(session);
    expect(await boot().pending(session)).toBe(CANDIDATE_ENTRY);
    await boot().remove(session);
    expect(await boot().pending(session)).toBeNull();
    expect(environment()).toBe('saved_entry=debian\n');
    expect(readFileSync(join(folder(), 'custom.cfg'), 'utf8')).toBe("menuentry 'rescue' { true }\n");
    expect(readFileSync(at('boot/loader/entries/fedora.conf'), 'utf8')).toBe(bls);
  });

  it('leaves the selection of another entry alone', async () => {
    put(`boot/${driver}/grubenv`, 'next_entry=rescue\n');
    await boot().remove(session);
    expect(await boot().pending(session)).toBe('rescue');
  });

  const refusal = (problem: string, remedy: string) => ({
    kind: 'boot-select',
    message: expect.stringContaining(`one-shot boot is not safe: ${problem}`),
    remedy: expect.stringContaining(remedy),
  });

  it.each(['ext2', 'xfs', 'fat'])('is accepted where it can clear its selection: /boot on %s', async (fileSystem) => {
    lies(fileSystem);
    await boot().preflight(session);
    // The check that it can be written leaves nothing.
    expect(environment()).toBe('saved_entry=debian\n');
  });

  it.each([
    ['btrfs', '', 'btrfs', 'move /boot to an ext4 partition'],
    ['zfs', '', 'zfs', 'move /boot to an ext4 partition'],
    ['f2fs', '', 'f2fs', 'move /boot to an ext4 partition'],
    ['ext2', 'lvm', 'lvm', 'move /boot to a plain partition'],
    ['ext2', 'diskfilter mdraid1x', 'diskfilter mdraid1x', 'move /boot to a plain partition'],
    ['xfs', 'cryptodisk luks2', 'cryptodisk luks2', 'move /boot to a plain partition'],
  ])('is refused where it cannot: /boot on %s, abstraction "%s"', async (fileSystem, abstraction, named, remedy) => {
    lies(fileSystem, abstraction);
    const problem = `${folder()} lies on ${named}, where GRUB cannot clear next_entry`;
    await expect(boot().preflight(session)).rejects.toMatchObject(refusal(problem, remedy));
  });

  it.each(['abstraction', 'fs'])(
    'takes an error of grub-probe for a no, with what it says: --target=%s',
    async (target) => {
      const error = `${driver}-probe: error: cannot find a device for ${folder()} (is /dev mounted?).`;
      grubTool(
        'probe',
        `[ "$1" != --target=${target} ] || { printf '%s\\n|or not\\n' "${error}" >&2; exit 1; }
[ "$1" != --target=fs ] || echo ext2`,
      );
      await expect(boot().preflight(session)).rejects.toMatchObject(
        refusal(
          `${driver}-probe: ${error}`,
          `${driver}-probe must know the disk below ${folder()}: move /boot to a plain`,
        ),
      );
    },
  );

  it.each([
    ['grub.cfg', null, 'grub.cfg is missing', 'install GRUB'],
    ['grub.cfg', 'set default=0\nsource custom.cfg\n', 'grub.cfg does not honour next_entry', standard.update],
    ['grub.cfg', 'set default="${next_entry}"\n', 'grub.cfg does not read custom.cfg', 'enable /etc/grub.d/41_custom'],
    ['grub.cfg', 'next_entry custom.cfg\n', 'grub.cfg sets no default', 'set GRUB_DEFAULT'],
    ['grubenv', null, 'grubenv is missing', `run ${driver}-editenv`],
  ])('is refused where %s is %j', async (file, text, problem, remedy) => {
    rmSync(join(folder(), file));
    if (text !== null) put(`boot/${driver}/${file}`, text);
    await expect(boot().preflight(session)).rejects.toMatchObject({
      message: expect.stringContaining(problem),
      remedy: expect.stringContaining(remedy),
    });
  });

  it('is refused where its environment cannot be written', async () => {
    grubTool('editenv', `[ "$2" != set ] || exit 1\n${EDITENV}`);
    await expect(boot().preflight(session)).rejects.toMatchObject(
      refusal(`${folder()}/grubenv cannot be written`, 'mounted read-write'),
    );
  });
});

describe('systemd-boot', () => {
  const boot = () => createSystemdBootSelect(root);
  beforeEach(() => {
    noSeeking();
    variable('LoaderInfo', 'systemd-boot 252.39');
    mkdirSync(at('esp/loader'), { recursive: true });
    put('boot/peerlab-k-vmlinuz', 'kernel');
    put('boot/peerlab-k-initrd.img', 'initrd');
    const one = at(`sys/firmware/efi/efivars/LoaderEntryOneShot-${GUID}`);
    tool(
      'bootctl',
      `case $1 in
-x) echo ${at('esp')} ;;
list) cat ${at('listed')} 2>/dev/null ;;
set-oneshot) if [ -z "$2" ]; then rm -f ${one}; else { printf '\\007\\0\\0\\0'; printf '%s' "$2" | sed 's/./&\\n/g' | tr '\\n' '\\000'; } >${one}; fi ;;
esac`,
    );
  });

  it('boots an entry once: it is placed where the loader reads, selected, and gone afterwards', async () => {
    await boot().preflight(session);
    await boot().install(session, {
      kernelPath: at('boot/peerlab-k-vmlinuz'),
      initrdPath: at('boot/peerlab-k-initrd.img'),
      commandLine: 'peerlab.nonce=ab root=UUID=1 memmap=1M$4M',
    });
    expect(readFileSync(at('esp/loader/entries/a-peerlab-candidate.conf'), 'utf8')).toBe(
      'title Peerlab candidate\nlinux /peerlab/peerlab-k-vmlinuz\ninitrd /peerlab/peerlab-k-initrd.img\n' +
        'options peerlab.nonce=ab root=UUID=1 memmap=1M$4M\n',
    );
    expect(readFileSync(at('esp/peerlab/peerlab-k-initrd.img'), 'utf8')).toBe('initrd');
    expect(await boot().pending(session)).toBeNull();
    await boot().selectOnce(session);
    expect(await boot().pending(session)).toBe('a-peerlab-candidate.conf');
    await boot().remove(session);
    expect(await boot().pending(session)).toBeNull();
    expect(existsSync(at('esp/peerlab'))).toBe(false);
    expect(existsSync(at('esp/loader/entries/a-peerlab-candidate.conf'))).toBe(false);
  });

  it('writes no entry without its kernel: what cannot be copied to its partition is refused', async () => {
    tool('cp', 'echo "cp: No space left on device" >&2; exit 1');
    const entry = { kernelPath: at('boot/peerlab-k-vmlinuz'), commandLine: 'peerlab.nonce=ab' };
    await expect(boot().install(session, entry)).rejects.toThrow('No space left on device');
    expect(existsSync(at('esp/loader/entries/a-peerlab-candidate.conf'))).toBe(false);
  });

  it('leaves no entry that the loader would boot without being told to', async () => {
    put(
      'listed',
      '        title: Peerlab candidate (default) (not reported/new)\n        title: arch (not reported/new)\n',
    );
    const entry = { kernelPath: at('boot/peerlab-k-vmlinuz'), commandLine: 'peerlab.nonce=ab' };
    await expect(boot().install(session, entry)).rejects.toMatchObject({
      message: expect.stringContaining('would boot the candidate by default'),
      remedy: expect.stringContaining('loader.conf'),
    });
    expect(existsSync(at('esp/loader/entries/a-peerlab-candidate.conf'))).toBe(false);
    // What is selected for one boot is listed in the same way.
    await boot().selectOnce(session);
    await boot().install(session, entry);
    expect(existsSync(at('esp/loader/entries/a-peerlab-candidate.conf'))).toBe(true);
  });

  it('has an entry that stands behind those of systems, which the loader sorts from the end of the alphabet', async () => {
    await boot().install(session, { kernelPath: at('boot/peerlab-k-vmlinuz'), commandLine: 'peerlab.nonce=ab' });
    const [entry = ''] = readdirSync(at('esp/loader/entries'));
    for (const system of [
      'arch.conf',
      'abcdef0123456789abcdef0123456789-6.1.conf',
      'debian-6.1.0-57-amd64.conf',
      'linux.conf',
    ])
      expect(entry < system, `${entry} < ${system}`).toBe(true);
  });

  it('leaves the selection of another entry alone', async () => {
    variable('LoaderEntryOneShot', 'rescue.conf');
    await boot().remove(session);
    expect(await boot().pending(session)).toBe('rescue.conf');
  });

  it('is refused where another loader booted the machine, or its partition cannot be found', async () => {
    variable('LoaderInfo', 'GRUB 2.12');
    await expect(boot().preflight(session)).rejects.toThrow('the loader that booted this machine is GRUB 2.12');
    variable('LoaderInfo', 'systemd-boot 257');
    tool('bootctl', 'exit 1');
    await expect(boot().preflight(session)).rejects.toMatchObject({ remedy: expect.stringContaining('XBOOTLDR') });
  });

  it('says on its console only that it could not load', () => {
    expect(readSystemdBootLine('Error loading \\peerlab\\peerlab-k-vmlinuz: Not Found')).toEqual({
      kind: 'not-loaded',
    });
    expect(readSystemdBootLine('Error loading \\peerlab\\peerlab-k-vmlinuz: Access denied')).toEqual({
      kind: 'not-loaded',
      untrusted: 'Access denied',
    });
    expect(readSystemdBootLine('Error loading \\vmlinuz: Not Found')).toBeNull();
  });
});

/** The boot entries of a firmware, in a file for each: enough of efibootmgr for the driver. */
const EFIBOOTMGR = (state: string): string => `cd ${state}
[ "$1" != --quiet ] || shift
case \${1-} in
'')
  echo "BootCurrent: $(cat current)"; echo "Timeout: 0 seconds"; echo "BootOrder: 0001"
  [ ! -s next ] || echo "BootNext: $(cat next)"
  echo "Boot0001* debian	HD(1,GPT)/File(\\\\EFI\\\\debian\\\\grubx64.efi)"
  [ ! -s label ] || echo "Boot0004* $(cat label)	HD(1,GPT)/File(x)" ;;
--create-only) echo "$*" >arguments; echo 'Peerlab candidate' >label ;;
--bootnext) [ -e forgetful ] || echo "$2" >next ;;
--delete-bootnext) : >next ;;
--bootnum) : >label ;;
esac`;

describe('UEFI BootNext', () => {
  const boot = () => createBootNextSelect(root);
  beforeEach(() => {
    mkdirSync(at('sys/firmware/efi/efivars'), { recursive: true });
    mkdirSync(at('sys/devices/nvme0n1/nvme0n1p1'), { recursive: true });
    put('sys/devices/nvme0n1/nvme0n1p1/partition', '1\n');
    mkdirSync(at('sys/class/block'), { recursive: true });
    symlinkSync(at('sys/devices/nvme0n1/nvme0n1p1'), at('sys/class/block/nvme0n1p1'));
    mkdirSync(at('esp'), { recursive: true });
    put('state/current', '0001\n');
    put('state/next', '');
    put('state/label', '');
    put('kernel', 'kernel');
    put('initrd', 'initrd');
    tool('efibootmgr', EFIBOOTMGR(at('state')));
    // The driver looks for the partition in three places; ours is the last of them, under another name.
    tool('findmnt', `case "$2 $3" in "FSTYPE /boot/efi") echo vfat ;; "SOURCE "*) echo /dev/nvme0n1p1 ;; esac`);
    // Its files go there.
    for (const name of ['mkdir', 'cp', 'touch', 'rm']) {
      tool(
        name,
        `for w; do shift; case $w in /boot/efi*) w=${at('esp')}\${w#/boot/efi} ;; esac; set -- "$@" "$w"; done\nexec /bin/${name} "$@"`,
      );
    }
  });

  it('starts the kernel by an entry of its own, once, and reads back which one the firmware took', async () => {
    await boot().preflight(session);
    const commandLine = 'peerlab.nonce=ab root=/dev/mapper/vg-root ro';
    await boot().install(session, { kernelPath: at('kernel'), initrdPath: at('initrd'), commandLine });
    expect(readFileSync(at('esp/EFI/peerlab/linux.efi'), 'utf8')).toBe('kernel');
    expect(readFileSync(at('state/arguments'), 'utf8')).toBe(
      '--create-only --disk /dev/nvme0n1 --part 1 --label Peerlab candidate --loader \\EFI\\peerlab\\linux.efi ' +
        '--unicode peerlab.nonce=ab initrd=\\EFI\\peerlab\\initrd.img root=/dev/mapper/vg-root ro\n',
    );
    await boot().selectOnce(session);
    expect(await boot().pending(session)).toBe('Boot0004');
    expect(await boot().whyOther?.(session)).toBe('the firmware says that it booted Boot0001, ours is Boot0004');
    put('state/current', '0004\n');
    expect(await boot().whyOther?.(session)).toBeNull();
    await boot().remove(session);
    expect(await boot().pending(session)).toBeNull();
    expect(existsSync(at('esp/EFI/peerlab'))).toBe(false);
  });

  it('notices a firmware that forgets BootNext, before anything reboots', async () => {
    put('state/forgetful', '');
    await boot().install(session, { kernelPath: at('kernel'), commandLine: 'peerlab.nonce=ab' });
    await expect(boot().selectOnce(session)).rejects.toThrow('the firmware did not take BootNext');
  });

  it('is refused on a machine that BIOS booted', async () => {
    rmSync(at('sys/firmware'), { recursive: true });
    await expect(boot().preflight(session)).rejects.toThrow('the machine was not booted by UEFI');
  });

  it('knows its entry on the console of EDK II', () => {
    const line = (verb: string): string => `BdsDxe: ${verb} Boot0004 "Peerlab candidate" from HD(1,GPT)`;
    expect(readBootManagerLine(line('starting'))).toEqual({ kind: 'loading' });
    expect(readBootManagerLine(line('failed to load'))).toEqual({ kind: 'not-loaded' });
    for (const untrusted of ['Access Denied', 'Security Violation'])
      expect(readBootManagerLine(`${line('failed to load')}: ${untrusted}`)).toEqual({ kind: 'not-loaded', untrusted });
    expect(readBootManagerLine('BdsDxe: starting Boot0001 "debian" from HD(1,GPT)')).toBeNull();
  });
});

it('kexec loads the candidate, leaves by it, and says that it is a smoke test', async () => {
  tool('kexec', `echo "$*" >>${at('calls')}`);
  const boot = createKexecSelect();
  expect(boot).toMatchObject({ reboot: 'kexec -e', caveat: expect.stringContaining('smoke test only') });
  await boot.install(session, { kernelPath: '/boot/k', initrdPath: '/boot/i', commandLine: 'peerlab.nonce=ab ro' });
  await boot.selectOnce(session);
  expect(readFileSync(at('calls'), 'utf8')).toBe(
    '--load /boot/k --initrd=/boot/i --command-line=peerlab.nonce=ab ro\n',
  );
});

describe('which loaders a machine has', () => {
  beforeEach(noSeeking);
  const detect = async () => readLoaderFacts((await session.exec(loaderFactsScript(root))).stdout);

  it.each([
    [
      'Debian with BIOS',
      { grub: 'grub' },
      'grub',
      ['systemd-boot: the machine was booted by BIOS', 'uefi: the machine'],
    ],
    ['Fedora', { grub: 'grub2', efi: true }, 'grub2', ['grub: /boot/grub/grub.cfg is not there']],
    [
      'systemd-boot',
      { loader: 'systemd-boot 257', efi: true, grub: 'grub' },
      'systemd-boot',
      ['grub: systemd-boot 257 booted'],
    ],
  ])('%s', async (_name, has: { grub?: string; efi?: boolean; loader?: string }, driver, whyNot) => {
    if (has.efi === true) mkdirSync(at('sys/firmware/efi/efivars'), { recursive: true });
    if (has.loader !== undefined) variable('LoaderInfo', has.loader);
    if (has.grub !== undefined) put(`boot/${has.grub}/grub.cfg`, '');
    for (const name of ['grub-reboot', 'grub2-reboot', 'bootctl']) tool(name, '');
    const found = await detect();
    expect(found[0]).toMatchObject({ driver, usable: true });
    expect(describeLoaders(found)).toContain(`boot: {driver: ${driver}}`);
    const others = found.filter(({ usable }) => !usable).map((each) => `${each.driver}: ${each.why}`);
    for (const words of whyNot) expect(others.join('; ')).toContain(words);
  });

  it('names every reason when there is none', async () => {
    expect(describeLoaders(await detect())).toMatch(/no boot loader .* systemd-boot: .*; grub2: .*; grub: .*; uefi: /);
  });
});
