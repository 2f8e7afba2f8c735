import { z } from 'zod';
import { output, quote, script } from '../command.js';
import { defineDriver } from '../driver.js';
import { efiValue } from '../efi-variable.js';
import type { BootSelect, LoaderLine } from '../protocols.js';
import { checkCommandLine, FAIL, runBootScript } from './boot-script.js';

const LOADER = 'systemd-boot';
const TITLE = 'Peerlab candidate';
/**
 * Without a `default` in loader.conf the loader boots the first entry of its menu, and entries without a sort-key stand there by
 * their names, the last of the alphabet first. By this name ours is behind those of systems.
 */
const ENTRY = 'a-peerlab-candidate.conf';
/** The variables that the loader and bootctl share; their first four bytes are attributes, the text is UTF-16. */
const GUID = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';

/** Shell functions: the text of a variable of the loader, and the partition that has its entries. */
const functions = (root: string): string => `
variable() { ${efiValue(`"${root}/sys/firmware/efi/efivars/$1-${GUID}"`)} | tr -d '\\000'; }
partition() { bootctl -x 2>/dev/null || bootctl -p 2>/dev/null; }
entry=${ENTRY}`;

const preflight = (root: string): string => `${FAIL}
${functions(root)}
[ -d ${root}/sys/firmware/efi/efivars ] || fail "the machine was not booted by UEFI|name the boot loader that it has in boot:"
command -v bootctl >/dev/null || fail "bootctl is missing|install systemd-boot (bootctl)"
info=$(variable LoaderInfo)
case $info in
systemd-boot*) ;;
*) fail "the loader that booted this machine is \${info:-not systemd-boot}|name the boot loader that it has in boot:" ;;
esac
[ -w ${root}/sys/firmware/efi/efivars ] || fail "the variables of the firmware are mounted read-only|mount efivarfs read-write"
partition=$(partition) && [ -n "$partition" ] || fail "bootctl finds no boot partition|mount the EFI system partition or the XBOOTLDR partition"
[ -d "$partition/loader" ] || fail "$partition/loader is missing|run bootctl install"
touch "$partition/loader/peerlab-check" 2>/dev/null && rm -f "$partition/loader/peerlab-check" ||
  fail "$partition cannot be written|check that it is mounted read-write and has space"
exit 0`;

/** Takes the entry away again when the loader would boot it without being told to: the candidate would boot for ever. */
const notDefault = (root: string): string => `${FAIL}
export LC_ALL=C
${functions(root)}
# While it is selected for one boot it stands there as the default.
[ "$(variable LoaderEntryOneShot)" != "$entry" ] || exit 0
bootctl list --no-pager 2>/dev/null | grep -q 'title: ${TITLE} (default)' || exit 0
rm -f -- "$(partition)/loader/entries/$entry"
fail "systemd-boot would boot the candidate by default|name the default entry in loader.conf (default ID)"`;

/** What one console line of systemd-boot means; it prints nothing when it takes an entry. */
export function readSystemdBootLine(text: string): LoaderLine | null {
  if (!/^Error (?:loading|preparing|opening|reading)/.test(text.trim()) || !text.includes('peerlab')) return null;
  const status = ['Access denied', 'Security violation'].find((words) =>
    text.toLowerCase().includes(words.toLowerCase()),
  );
  return status === undefined ? { kind: 'not-loaded' } : { kind: 'not-loaded', untrusted: status };
}

/** One-shot boot through an entry on the boot partition and the variable LoaderEntryOneShot. @param root for tests */
export function createSystemdBootSelect(root = ''): BootSelect {
  return {
    loader: LOADER,
    trusts: 'firmware',
    readLine: readSystemdBootLine,

    async preflight(session) {
      await runBootScript(session, 'systemd-boot-preflight', preflight(root));
    },

    async install(session, { kernelPath, initrdPath, commandLine }) {
      checkCommandLine(LOADER, commandLine);
      const body = `${functions(root)}
set -e
partition=$(partition)
mkdir -p "$partition/loader/entries"
# The loader reads its own partition alone.
place() {
  case $1 in
  "$partition"/*) echo "/\${1#"$partition"/}" ;;
  *) mkdir -p "$partition/peerlab" && cp -- "$1" "$partition/peerlab/" && echo "/peerlab/\${1##*/}" ;;
  esac
}
# Assigned first: set -e does not see a failure inside the words of a command.
linux=$(place ${quote(kernelPath)})
${initrdPath === undefined ? '' : `initrd=$(place ${quote(initrdPath)})`}
{
  echo "title ${TITLE}"
  echo "linux $linux"
  ${initrdPath === undefined ? '' : 'echo "initrd $initrd"'}
  cat
} >"$partition/loader/entries/$entry.new"
mv -f "$partition/loader/entries/$entry.new" "$partition/loader/entries/$entry"
sync`;
      await output(session, script('systemd-boot-install', { entry: ENTRY }, body), {
        stdin: `options ${commandLine}\n`,
      });
      await runBootScript(session, 'systemd-boot-default', notDefault(root));
    },

    async selectOnce(session) {
      await output(session, script('systemd-boot-select', { entry: ENTRY }, `bootctl set-oneshot ${ENTRY} && sync`));
    },

    async pending(session) {
      const text = await output(
        session,
        script('systemd-boot-pending', {}, `${functions(root)}\nvariable LoaderEntryOneShot`),
      );
      return text.trim() === '' ? null : text.trim().slice(0, 200);
    },

    async remove(session) {
      const body = `${functions(root)}
partition=$(partition) || exit 1
rm -rf -- "$partition/loader/entries/$entry" "$partition/loader/entries/$entry.new" "$partition/peerlab"
[ "$(variable LoaderEntryOneShot)" != "$entry" ] || bootctl set-oneshot ''
sync`;
      await output(session, script('systemd-boot-remove', { entry: ENTRY }, body));
    },
  };
}

export const systemdBoot = defineDriver({
  schema: z.strictObject({ driver: z.literal('systemd-boot') }),
  paths: [],
  create: () => createSystemdBootSelect(),
});
