import { cleanText } from '@peerlab/contracts';
import { output, quote, script } from '../command.js';
import { MachineError } from '../errors.js';
import type { BootSelect, LoaderLine } from '../protocols.js';
import { z } from 'zod';
import { defineDriver } from '../driver.js';
import { checkCommandLine, FAIL, runBootScript } from './boot-script.js';

export const CANDIDATE_ENTRY = 'peerlab-candidate';

/** Where a distribution has its GRUB, and how its tools are called. */
export interface GrubLayout {
  folder: string;
  /** Of the tools: `grub-reboot`. */
  prefix: string;
  /** The command that writes grub.cfg anew, for remedies. */
  update: string;
  packages: string;
}

/** Debian, Ubuntu, Arch. */
export const GRUB: GrubLayout = {
  folder: '/boot/grub',
  prefix: 'grub',
  update: 'update-grub',
  packages: 'grub2-common',
};
/** Fedora, RHEL and SUSE. Their own entries may be BLS files; ours is in custom.cfg all the same. */
export const GRUB2: GrubLayout = {
  folder: '/boot/grub2',
  prefix: 'grub2',
  update: 'grub2-mkconfig -o /boot/grub2/grub.cfg',
  packages: 'grub2-tools',
};
/**
 * Prints a file, or nothing when it is not there. Fails when it cannot be read: the file is rewritten from this
 * output, and entries that are not ours would be lost.
 */
export const printIfThere = (path: string): string => `[ ! -e ${path} ] || cat ${path}`;
/** What our entry prints when GRUB took it, and when `linux` failed. */
const LOADING = 'peerlab-grub: loading ';
const NOT_LOADED = 'peerlab-grub: the image was not loaded';
/** Of a file system: ext and xfs have long ones, FAT `ABCD-1234`. */
const UUID = /^[0-9a-fA-F-]{8,36}$/;
const BEGIN = '### peerlab begin: written by the Peerlab agent, removed after the job ###';
const END = '### peerlab end ###';

/** An entry as GRUB finds its files: paths on the file system with that UUID. */
export interface GrubEntry {
  commandLine: string;
  grubPath: string;
  grubInitrd?: string;
  fileSystem: string;
}

/**
 * custom.cfg with our block set to `entry`, or without it; everything else stays as it is. An image
 * that GRUB cannot load makes the machine reboot: next_entry is used up by then, so the default
 * follows. (`fallback=` by id would leave GRUB in its menu for ever.)
 */
export function customConfig(existing: string, entry: GrubEntry | null): string {
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
    // Where the menu was read may be another file system than that of the image.
    `  search --no-floppy --fs-uuid --set=root ${entry.fileSystem}`,
    `  echo "${LOADING}${entry.grubPath}"`,
    `  if linux ${entry.grubPath} ${quoteForGrub(entry.commandLine)}; then true; else echo "${NOT_LOADED}"; reboot; fi`,
    // GRUB's language has no `&&`.
    ...(entry.grubInitrd === undefined
      ? []
      : [`  if initrd ${entry.grubInitrd}; then true; else echo "${NOT_LOADED}"; reboot; fi`]),
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

const preflight = ({ folder, prefix, update, packages }: GrubLayout): string => `${FAIL}
for tool in ${prefix}-reboot ${prefix}-editenv ${prefix}-mkrelpath; do
  command -v $tool >/dev/null || fail "$tool is missing|install ${packages}"
done
[ -f ${folder}/grub.cfg ] || fail "${folder}/grub.cfg is missing|install GRUB on this machine"
grep -q next_entry ${folder}/grub.cfg || fail "grub.cfg does not honour next_entry|run ${update} with the distribution's 00_header"
grep -q custom.cfg ${folder}/grub.cfg || fail "grub.cfg does not read custom.cfg|enable /etc/grub.d/41_custom and run ${update}"
grep -q 'set default=' ${folder}/grub.cfg || fail "grub.cfg sets no default|set GRUB_DEFAULT and run ${update}"
[ -f ${folder}/grubenv ] || fail "${folder}/grubenv is missing|run ${prefix}-editenv ${folder}/grubenv create"
${prefix}-editenv ${folder}/grubenv set peerlab_check=1 && ${prefix}-editenv ${folder}/grubenv unset peerlab_check ||
  fail "${folder}/grubenv cannot be written|check that /boot is mounted read-write and has space"
command -v ${prefix}-probe >/dev/null || fail "${prefix}-probe is missing|install ${packages}"
probe() { ${prefix}-probe --target=$1 ${folder} 2>/dev/null || {
  echo "${prefix}-probe: $(${prefix}-probe --target=$1 ${folder} 2>&1 | head -c 200 | tr '|\\n' '  ')|${prefix}-probe must know the disk below ${folder}: move /boot to a plain partition" >&2; exit 1; }; }
abstraction=$(probe abstraction) || exit 1
[ -z "$abstraction" ] || fail "${folder} lies on $abstraction, where GRUB cannot clear next_entry|move /boot to a plain partition"
fs=$(probe fs) || exit 1
case $fs in
  ext2|xfs|fat) ;;
  *) fail "${folder} lies on $fs, where GRUB cannot clear next_entry: the candidate would boot for ever|move /boot to an ext4 partition" ;;
esac
exit 0`;

/**
 * Prints each path as GRUB names it on its file system, the UUID of that file system, and custom.cfg as it stands. Where a tool of GRUB
 * cannot tell, the entry would name a file that GRUB does not find: nothing is printed in its place.
 */
const whereGrubSees = ({ prefix }: GrubLayout, paths: readonly string[], custom: string): string => `${FAIL}
see() {
  seen=$("$@" 2>/dev/null) && [ -n "$seen" ] && echo "$seen" ||
    fail "$*: $("$@" 2>&1 | head -c 200 | tr '|\\n' '  ')|make GRUB know the disk of /boot: see $1, and ${prefix}-probe --target=device /boot"
}
${paths.map((path) => `see ${prefix}-mkrelpath ${quote(path)}`).join('\n')}
see ${prefix}-probe --target=fs_uuid ${quote(paths[0] ?? '')}
${printIfThere(custom)}`;

/** Longest message of GRUB that is quoted, in characters. */
const MESSAGE_MAX = 300;
/** GRUB 2.12 and later put the place in its source before a message. */
const ERROR = /^error: (?:[\w./-]{1,200}:\d{1,6}:)?/;

/**
 * How GRUB says that an image was refused for its signature: by shim (with Debian's, Fedora's and GRUB's own loader of Linux), by GRUB's
 * lockdown, and by the firmware.
 */
const UNTRUSTED = [
  'bad shim signature',
  'has invalid signature',
  'prohibited by secure boot policy',
  'Access Denied',
  'Security Violation',
];

/** What one console line of GRUB means for our entry; its errors alone say nothing, it prints some before good boots. */
export function readGrubLine(text: string): LoaderLine | null {
  const line = text.trim();
  if (line.startsWith(LOADING)) return { kind: 'loading' };
  if (line.startsWith(NOT_LOADED)) return { kind: 'not-loaded' };
  const beginning = ERROR.exec(line)?.[0];
  if (beginning === undefined) return null;
  const message = line.slice(beginning.length).trim();
  if (message === '') return null;
  const words = cleanText(message.endsWith('.') ? message.slice(0, -1) : message, MESSAGE_MAX);
  return UNTRUSTED.some((known) => message.includes(known))
    ? { kind: 'error', message: words, isUntrusted: true }
    : { kind: 'error', message: words };
}

/** One-shot boot through GRUB's custom.cfg and grubenv. */
export function createGrubBootSelect(layout: GrubLayout = GRUB): BootSelect {
  const { folder, prefix } = layout;
  const custom = `${folder}/custom.cfg`;
  const environment = `${folder}/grubenv`;
  return {
    loader: 'GRUB',
    trusts: 'firmware-and-shim',
    readLine: readGrubLine,

    async preflight(session) {
      await runBootScript(session, 'grub-preflight', preflight(layout));
    },

    async install(session, entry) {
      checkCommandLine('GRUB', entry.commandLine);
      const { kernelPath, initrdPath } = entry;
      const paths = [kernelPath, ...(initrdPath === undefined ? [] : [initrdPath])];
      const read = await runBootScript(session, 'grub-read', whereGrubSees(layout, paths, custom), {
        paths: paths.join(' '),
      });
      const lines = read.split('\n');
      const [grubPath = '', grubInitrd = ''] = lines.slice(0, paths.length).map((line) => line.trim());
      const fileSystem = lines[paths.length]?.trim() ?? '';
      if (!UUID.test(fileSystem)) {
        throw new MachineError(
          'boot-select',
          `one-shot boot is not safe: ${prefix}-probe names the file system of ${kernelPath} ${JSON.stringify(fileSystem.slice(0, 100))}, which is no UUID`,
          `give the file system of /boot a UUID, and see ${prefix}-probe --target=fs_uuid ${kernelPath}`,
        );
      }
      const existing = lines.slice(paths.length + 1).join('\n');
      const config = customConfig(existing, {
        commandLine: entry.commandLine,
        grubPath,
        ...(initrdPath === undefined ? {} : { grubInitrd }),
        fileSystem,
      });
      await output(
        session,
        script('grub-install', { entry: CANDIDATE_ENTRY }, `cat > ${custom}.new && mv -f ${custom}.new ${custom}`),
        { stdin: config },
      );
    },

    async selectOnce(session) {
      await output(
        session,
        script('grub-select', { entry: CANDIDATE_ENTRY }, `${prefix}-reboot ${CANDIDATE_ENTRY} && sync`),
      );
    },

    async pending(session) {
      const text = await output(session, script('grub-pending', {}, `${prefix}-editenv ${environment} list`));
      const value = /^next_entry=(.*)$/m.exec(text)?.[1]?.trim() ?? '';
      return value === '' ? null : value;
    },

    async remove(session) {
      const existing = await output(session, script('grub-read-custom', {}, printIfThere(custom)));
      const config = customConfig(existing, null);
      const put = config.trim() === '' ? `rm -f ${custom}` : `cat > ${custom}.new && mv -f ${custom}.new ${custom}`;
      const forget = `if ${prefix}-editenv ${environment} list | grep -q '^next_entry=${CANDIDATE_ENTRY}$'; then ${prefix}-editenv ${environment} unset next_entry; fi`;
      await output(session, script('grub-remove', { entry: CANDIDATE_ENTRY }, `${put} && ${forget}`), {
        stdin: config,
      });
    },
  };
}

export const grubBoot = defineDriver({
  schema: z.strictObject({ driver: z.literal('grub') }),
  paths: [],
  create: () => createGrubBootSelect(GRUB),
});

export const grub2Boot = defineDriver({
  schema: z.strictObject({ driver: z.literal('grub2') }),
  paths: [],
  create: () => createGrubBootSelect(GRUB2),
});
