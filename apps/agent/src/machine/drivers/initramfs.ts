import { z } from 'zod';
import { output, quote, script } from '../command.js';
import { defineDriver } from '../driver.js';
import { MachineError } from '../errors.js';
import { heartbeat } from '../heartbeat.js';
import { showConfig } from '../shown-config.js';
import type { Initramfs, InitramfsPacking } from '../protocols.js';

/** A server takes ten seconds for it, an emulated machine minutes: what ends it is that it does not go on. */
const MAKE_MS = 3_600_000;
const MAKE_SILENCE_MS = 300_000;
const LIST_MS = 180_000;
/** A distribution's initramfs holds some ten thousand files. */
const LIST_MAX_BYTES = 8 * 1024 * 1024;
const LINE_MAX = 4096;
/** GPU drivers bring firmware of hundreds of megabytes, and no root file system lies on a GPU. */
const LEFT_OUT = 'amdgpu radeon nouveau nvidia nvidia_drm i915 xe';

interface Tool {
  name: string;
  program: string;
  /** The Debian package, for the remedy. */
  package: string;
  /** Shell text that writes the initramfs of `release` to `path`, and prints what it does; both are quoted. */
  make(release: string, path: string, packing: InitramfsPacking | null): string;
  /** Shell text that lists its files, each on a line. */
  list(path: string): string;
  /** The path on such a line; null = the line is about something else. */
  fileOf(line: string): string | null;
}

/** A line that is a path and nothing else. */
const plainPath = (line: string): string | null => (line === '' ? null : line);

/** A line of `ls -l`: what kind of file it is, who may use it, and five columns more. */
const LISTED = /^[-bcdlps][-rwxsStT]{9}[.+@]? /;

/**
 * The path on a line of lsinitrd. It prints more than files: the arguments of dracut and the names of its own modules, such as
 * `lvm`, which are there also when the program of that name is not.
 */
function listedPath(line: string): string | null {
  if (!LISTED.test(line)) return null;
  // A link is shown as `name -> target`; its name counts.
  return (line.split(' -> ', 1)[0] ?? '').trimEnd().split(' ').at(-1) ?? null;
}

/** The initramfs of candidates by one of the tools of distributions. @param root stands before /boot; for tests */
export function createInitramfs(tool: Tool, root = ''): Initramfs {
  const { name } = tool;
  return {
    tool: name,

    async preflight(session) {
      const result = await session.exec(script('initramfs-preflight', { tool: name }, `command -v ${tool.program}`));
      if (result.code === 0) return;
      throw new MachineError(
        'initramfs',
        `${tool.program} is missing, which initramfs: ${name} runs`,
        `install ${tool.package} on the machine, or name its tool in initramfs: (initramfs-tools, dracut, mkinitcpio)`,
      );
    },

    async make(session, { release, path, packing, config, signal }) {
      const body = `umask 077
shown=
log=$(mktemp) || exit 1
${heartbeat('"$log"', 1)}
trap 'kill "$beat" 2>/dev/null; rm -f -- "$log" \${shown:+"$shown"}' EXIT
${config === null ? '' : showConfig(release, config, root)}{ ${tool.make(quote(release), quote(path), packing)}; } >"$log" 2>&1 </dev/null || {
  code=$?
  rm -f -- ${quote(path)}
  tail -n 8 "$log" >&2
  exit $code
}
[ -s ${quote(path)} ] || { echo "it wrote no file" >&2; exit 1; }
kill "$beat"; wait "$beat" 2>/dev/null
stat -c %s ${quote(path)}`;
      const limits = { timeoutMs: MAKE_MS, silenceMs: MAKE_SILENCE_MS };
      const options = { ...limits, ...(signal === undefined ? {} : { signal }) };
      const result = await session.exec(script('initramfs-make', { release, path }, body), options);
      if (result.code === 0) return { sizeBytes: Number(result.stdout.trim().split('\n').at(-1)) };
      const why = result.stderr.trim().slice(-600) || `exit ${result.code ?? 'by a signal'}`;
      const remedy = /No space left/i.test(why) ? 'free space in /boot and /var/tmp of the machine' : null;
      throw new MachineError('initramfs', `${tool.program} made no initramfs for ${release}: ${why}`, remedy);
    },

    async list(session, path, signal) {
      const text = await output(session, script('initramfs-list', { path }, tool.list(quote(path))), {
        timeoutMs: LIST_MS,
        maxBytes: LIST_MAX_BYTES,
        ...(signal === undefined ? {} : { signal }),
      });
      return text.split('\n').flatMap((line) => tool.fileOf(line.slice(0, LINE_MAX).trimEnd()) ?? []);
    },
  };
}

export const INITRAMFS_TOOLS: Tool = {
  name: 'initramfs-tools',
  program: 'mkinitramfs',
  package: 'initramfs-tools',
  // What update-initramfs runs; that one would keep a record of a kernel that goes again.
  make: (release, path, packing) => `mkinitramfs -v ${packing === null ? '' : `-c ${packing} `}-o ${path} ${release}`,
  list: (path) => `lsinitramfs ${path}`,
  fileOf: plainPath,
};

export const DRACUT: Tool = {
  name: 'dracut',
  program: 'dracut',
  package: 'dracut',
  make: (release, path, packing) =>
    `dracut --force ${packing === null ? '' : `--${packing} `}--omit-drivers '${LEFT_OUT}' ${path} ${release}`,
  list: (path) => `lsinitrd ${path}`,
  fileOf: listedPath,
};

export const MKINITCPIO: Tool = {
  name: 'mkinitcpio',
  program: 'mkinitcpio',
  package: 'mkinitcpio',
  // Its hook kms brings the GPU drivers; one that the configuration has not is skipped as well. What MODULES names there stays.
  make: (release, path, packing) =>
    `mkinitcpio --skiphooks kms ${packing === null ? '' : `-z ${packing} `}-k ${release} -g ${path}`,
  list: (path) => `lsinitcpio ${path}`,
  fileOf: plainPath,
};

export const initramfsTools = defineDriver({
  schema: z.strictObject({ driver: z.literal('initramfs-tools') }),
  paths: [],
  create: () => createInitramfs(INITRAMFS_TOOLS),
});

export const dracut = defineDriver({
  schema: z.strictObject({ driver: z.literal('dracut') }),
  paths: [],
  create: () => createInitramfs(DRACUT),
});

export const mkinitcpio = defineDriver({
  schema: z.strictObject({ driver: z.literal('mkinitcpio') }),
  paths: [],
  create: () => createInitramfs(MKINITCPIO),
});
