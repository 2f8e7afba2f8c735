import { output, quote, script } from '../command.js';
import { MachineError } from '../errors.js';
import type { BootEntry, BootSelect } from '../protocols.js';

export const CANDIDATE_ENTRY = 'peerlab-candidate';
const CUSTOM = '/boot/grub/custom.cfg';
/**
 * Prints a file, or nothing when it is not there. Fails when it cannot be read: the file is rewritten from this
 * output, and entries that are not ours would be lost.
 */
export const printIfThere = (path: string): string => `[ ! -e ${path} ] || cat ${path}`;
const BEGIN = '### peerlab begin: written by the Peerlab agent, removed after the job ###';
const END = '### peerlab end ###';

/**
 * custom.cfg with our block set to `entry`, or without it; everything else stays as it is. An image
 * that GRUB cannot load makes the machine reboot: next_entry is used up by then, so the default
 * follows. (`fallback=` by id would leave GRUB in its menu for ever.)
 */
export function customConfig(existing: string, entry: (BootEntry & { grubPath: string }) | null): string {
  const begin = existing.indexOf(BEGIN);
  const end = existing.indexOf(END);
  const foreign =
    begin === -1 || end < begin
      ? existing
      : existing.slice(0, begin) + existing.slice(end + END.length).replace(/^\n/, '');
  const joint = foreign === '' || foreign.endsWith('\n') ? foreign : `${foreign}\n`;
  // With the line end that our entry would need: what is removed leaves the file as it was before.
  if (entry === null) return joint;
  const lines = [
    BEGIN,
    `menuentry 'Peerlab candidate' --id ${CANDIDATE_ENTRY} {`,
    `  echo "peerlab-grub: loading ${entry.grubPath}"`,
    `  if linux ${entry.grubPath} ${quoteForGrub(entry.commandLine)}; then true; else echo "peerlab-grub: the image was not loaded"; reboot; fi`,
    '}',
    END,
    '',
  ];
  return joint + lines.join('\n');
}

/**
 * Command lines go into GRUB's own script language. Between single quotes nothing is special to it;
 * quotes and backslashes are, to the part of GRUB that puts the words together again.
 */
function quoteForGrub(commandLine: string): string {
  const quoted = (word: string): string => (/^[a-zA-Z0-9_.,:=/@%+-]+$/.test(word) ? word : `'${word}'`);
  return commandLine.split(' ').map(quoted).join(' ');
}

function checkCommandLine(commandLine: string): void {
  const odd = /[^\x20-\x7e]|['"\\]/.exec(commandLine);
  if (odd !== null) {
    throw new MachineError(
      'boot-select',
      `the kernel command line contains ${JSON.stringify(odd[0])}, which GRUB would interpret`,
      'remove the option from the default kernel command line',
    );
  }
}

const PREFLIGHT = `
fail() { echo "$1" >&2; exit 1; }
for tool in grub-reboot grub-editenv; do
  command -v $tool >/dev/null || fail "$tool is missing|install grub2-common"
done
[ -f /boot/grub/grub.cfg ] || fail "/boot/grub/grub.cfg is missing|install GRUB on this machine"
grep -q next_entry /boot/grub/grub.cfg || fail "grub.cfg does not honour next_entry|run update-grub with Debian's 00_header"
grep -q custom.cfg /boot/grub/grub.cfg || fail "grub.cfg does not read custom.cfg|enable /etc/grub.d/41_custom and run update-grub"
grep -q 'set default=' /boot/grub/grub.cfg || fail "grub.cfg sets no default|set GRUB_DEFAULT and run update-grub"
[ -f /boot/grub/grubenv ] || fail "/boot/grub/grubenv is missing|run grub-editenv /boot/grub/grubenv create"
grub-editenv /boot/grub/grubenv set peerlab_check=1 && grub-editenv /boot/grub/grubenv unset peerlab_check ||
  fail "/boot/grub/grubenv cannot be written|check that /boot is mounted read-write and has space"
if command -v grub-probe >/dev/null; then
  abstraction=$(grub-probe --target=abstraction /boot/grub 2>/dev/null)
  [ -z "$abstraction" ] || fail "/boot/grub lies on $abstraction, where GRUB cannot clear next_entry|move /boot to a plain partition"
fi
exit 0`;

/** One-shot boot through GRUB's custom.cfg and grubenv. */
export function createGrubBootSelect(): BootSelect {
  return {
    async preflight(session) {
      const result = await session.exec(script('grub-preflight', {}, PREFLIGHT));
      if (result.code === 0) return;
      const [problem = '', remedy] = (result.stderr.trim().split('\n').at(-1) ?? '').split('|');
      throw new MachineError('boot-select', `one-shot boot is not safe: ${problem}`, remedy ?? null);
    },

    async install(session, entry) {
      checkCommandLine(entry.commandLine);
      const path = quote(entry.kernelPath);
      const read = await output(
        session,
        script(
          'grub-read',
          { path: entry.kernelPath },
          `grub-mkrelpath ${path} 2>/dev/null || echo ${path}; ${printIfThere(CUSTOM)}`,
        ),
      );
      const newline = read.indexOf('\n');
      const config = customConfig(read.slice(newline + 1), { ...entry, grubPath: read.slice(0, newline).trim() });
      await output(
        session,
        script('grub-install', { entry: CANDIDATE_ENTRY }, `cat > ${CUSTOM}.new && mv -f ${CUSTOM}.new ${CUSTOM}`),
        { stdin: config },
      );
    },

    async selectOnce(session) {
      await output(
        session,
        script('grub-select', { entry: CANDIDATE_ENTRY }, `grub-reboot ${CANDIDATE_ENTRY} && sync`),
      );
    },

    async pending(session) {
      const text = await output(session, script('grub-pending', {}, 'grub-editenv /boot/grub/grubenv list'));
      const value = /^next_entry=(.*)$/m.exec(text)?.[1]?.trim() ?? '';
      return value === '' ? null : value;
    },

    async remove(session) {
      const existing = await output(session, script('grub-read-custom', {}, printIfThere(CUSTOM)));
      const config = customConfig(existing, null);
      const put = config.trim() === '' ? `rm -f ${CUSTOM}` : `cat > ${CUSTOM}.new && mv -f ${CUSTOM}.new ${CUSTOM}`;
      const forget = `if grub-editenv /boot/grub/grubenv list | grep -q '^next_entry=${CANDIDATE_ENTRY}$'; then grub-editenv /boot/grub/grubenv unset next_entry; fi`;
      await output(session, script('grub-remove', { entry: CANDIDATE_ENTRY }, `${put} && ${forget}`), {
        stdin: config,
      });
    },
  };
}
