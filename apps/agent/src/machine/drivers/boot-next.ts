import { z } from 'zod';
import { output, quote, script } from '../command.js';
import { defineDriver } from '../driver.js';
import type { BootSelect, LoaderLine } from '../protocols.js';
import { checkCommandLine, FAIL, runBootScript } from './boot-script.js';

const LOADER = 'UEFI BootNext';
const LABEL = 'Peerlab candidate';

/** Shell functions: the EFI system partition, and the numbers of our entries (there is one at most). */
const FUNCTIONS = `
esp() { for place in /boot/efi /efi /boot; do [ "$(findmnt -no FSTYPE "$place" 2>/dev/null)" != vfat ] || { echo "$place"; return; }; done; return 1; }
ours() { efibootmgr | sed -n 's/^Boot\\([0-9A-Fa-f]\\{4\\}\\)[* ] *${LABEL}\\([^a-zA-Z].*\\)\\{0,1\\}$/\\1/p'; }
value() { efibootmgr | sed -n "s/^$1: //p" | head -n 1; }`;

const preflight = (root: string): string => `${FAIL}
${FUNCTIONS}
[ -d ${root}/sys/firmware/efi/efivars ] || fail "the machine was not booted by UEFI|name the boot loader that it has in boot:"
command -v efibootmgr >/dev/null || fail "efibootmgr is missing|install efibootmgr"
efibootmgr >/dev/null 2>&1 || fail "the boot entries of the firmware cannot be read|mount efivarfs; see the output of efibootmgr"
[ -n "$(value BootOrder)" ] || fail "the firmware has no BootOrder: nothing says what follows the candidate|set one with efibootmgr -o"
[ -w ${root}/sys/firmware/efi/efivars ] || fail "the variables of the firmware are mounted read-only|mount efivarfs read-write"
esp=$(esp) || fail "no EFI system partition is mounted at /boot/efi, /efi or /boot|mount it there"
touch "$esp/peerlab-check" 2>/dev/null && rm -f "$esp/peerlab-check" ||
  fail "$esp cannot be written|check that it is mounted read-write and has space"
exit 0`;

/** What a line of EDK II's boot manager means for our entry; other firmware says nothing that could be relied upon. */
export function readBootManagerLine(text: string): LoaderLine | null {
  if (!text.includes(`"${LABEL}"`) || !text.includes('BdsDxe: ')) return null;
  if (text.includes('BdsDxe: starting Boot')) return { kind: 'loading' };
  if (!text.includes('BdsDxe: failed to ')) return null;
  const status = ['Access Denied', 'Security Violation'].find((words) => text.trimEnd().endsWith(words));
  return status === undefined ? { kind: 'not-loaded' } : { kind: 'not-loaded', untrusted: status };
}

/**
 * One-shot boot by the firmware itself: a boot entry of our own that starts the kernel's EFI stub, and BootNext. Some firmware
 * forgets or overwrites BootNext: which entry it took is read back from BootCurrent. @param root stands before /sys; for tests
 */
export function createBootNextSelect(root = ''): BootSelect {
  return {
    loader: LOADER,
    trusts: 'firmware',
    readLine: readBootManagerLine,

    async preflight(session) {
      await runBootScript(session, 'boot-next-preflight', preflight(root));
    },

    async install(session, { kernelPath, initrdPath, commandLine }) {
      checkCommandLine(LOADER, commandLine);
      const body = `${FUNCTIONS}
set -e
esp=$(esp)
mkdir -p "$esp/EFI/peerlab"
cp -- ${quote(kernelPath)} "$esp/EFI/peerlab/linux.efi"
${initrdPath === undefined ? '' : `cp -- ${quote(initrdPath)} "$esp/EFI/peerlab/initrd.img"`}
for number in $(ours); do efibootmgr --quiet --bootnum "$number" --delete-bootnum; done
part=$(findmnt -no SOURCE "$esp"); part=$(readlink -f "$part"); part=\${part##*/}
disk=$(cd -P "${root}/sys/class/block/$part/.." && pwd)
efibootmgr --quiet --create-only --disk "/dev/\${disk##*/}" --part "$(cat "${root}/sys/class/block/$part/partition")" \\
  --label '${LABEL}' --loader '\\EFI\\peerlab\\linux.efi' --unicode "$(cat)"
sync`;
      const initrd = initrdPath === undefined ? '' : 'initrd=\\EFI\\peerlab\\initrd.img ';
      // The nonce stays first of the words that could be cut off.
      const [nonce = '', ...words] = commandLine.split(' ');
      await output(session, script('boot-next-install', { label: LABEL }, body), {
        stdin: `${nonce} ${initrd}${words.join(' ')}`,
      });
    },

    async selectOnce(session) {
      const body = `${FUNCTIONS}
number=$(ours | head -n 1)
[ -n "$number" ] || { echo "the firmware has no entry of ours" >&2; exit 1; }
efibootmgr --quiet --bootnext "$number"
[ "$(value BootNext)" = "$number" ] || { echo "the firmware did not take BootNext" >&2; exit 1; }
sync`;
      await output(session, script('boot-next-select', { label: LABEL }, body));
    },

    async pending(session) {
      const text = await output(session, script('boot-next-pending', {}, `${FUNCTIONS}\nvalue BootNext`));
      return text.trim() === '' ? null : `Boot${text.trim().slice(0, 20)}`;
    },

    async whyOther(session) {
      const text = await output(
        session,
        script('boot-next-current', {}, `${FUNCTIONS}\necho "$(value BootCurrent) $(ours | head -n 1)"`),
      );
      const [current = '', own = ''] = text.trim().split(' ');
      if (current !== '' && current === own) return null;
      return `the firmware says that it booted Boot${current || '????'}, ours is Boot${own || '????'}`;
    },

    async remove(session) {
      const body = `${FUNCTIONS}
next=$(value BootNext)
for number in $(ours); do
  [ "$next" != "$number" ] || efibootmgr --quiet --delete-bootnext
  efibootmgr --quiet --bootnum "$number" --delete-bootnum
done
if esp=$(esp); then rm -rf -- "$esp/EFI/peerlab"; fi
sync`;
      await output(session, script('boot-next-remove', { label: LABEL }, body));
    },
  };
}

export const bootNext = defineDriver({
  schema: z.strictObject({ driver: z.literal('uefi') }),
  paths: [],
  create: () => createBootNextSelect(),
});
