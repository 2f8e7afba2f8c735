import { z } from 'zod';
import { output, quote, script } from '../command.js';
import { defineDriver } from '../driver.js';
import { MachineError } from '../errors.js';
import { showConfig } from '../shown-config.js';
import type { Initramfs, InitramfsPacking } from '../protocols.js';

/** An emulated machine takes minutes for what a server does in ten seconds. */
const MAKE_MS = 900_000;
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
  /** Shell text that writes the initramfs of `release` to `path`; both are quoted. */
  make(release: string, path: string, packing: InitramfsPacking | null): string;
  /** Shell text that lists its files, with or without the columns of `ls -l`. */
  list(path: string): string;
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
${config === null ? '' : showConfig(release, config, root)}out=$( { ${tool.make(quote(release), quote(path), packing)}; } 2>&1 </dev/null) || {
  code=$?
  rm -f -- ${quote(path)}
  echo "$out" | tail -n 8 >&2
  exit $code
}
[ -s ${quote(path)} ] || { echo "it wrote no file" >&2; exit 1; }
stat -c %s ${quote(path)}`;
      const options = { timeoutMs: MAKE_MS, ...(signal === undefined ? {} : { signal }) };
      const result = await session.exec(script('initramfs-make', { release, path }, body), options);
      if (result.code === 0) return { sizeBytes: Number(result.stdout.trim()) };
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
      return text.split('\n').flatMap((line) => {
        // A link is shown as `name -> target`; its name counts.
        const file = (line.slice(0, LINE_MAX).split(' -> ', 1)[0] ?? '').trimEnd().split(' ').at(-1) ?? '';
        return file === '' ? [] : [file];
      });
    },
  };
}

export const INITRAMFS_TOOLS: Tool = {
  name: 'initramfs-tools',
  program: 'mkinitramfs',
  package: 'initramfs-tools',
  // What update-initramfs runs; that one would keep a record of a kernel that goes again.
  make: (release, path, packing) => `mkinitramfs ${packing === null ? '' : `-c ${packing} `}-o ${path} ${release}`,
  list: (path) => `lsinitramfs ${path}`,
};

export const DRACUT: Tool = {
  name: 'dracut',
  program: 'dracut',
  package: 'dracut',
  make: (release, path, packing) =>
    `dracut --force --quiet ${packing === null ? '' : `--${packing} `}--omit-drivers '${LEFT_OUT}' ${path} ${release}`,
  list: (path) => `lsinitrd ${path}`,
};

export const MKINITCPIO: Tool = {
  name: 'mkinitcpio',
  program: 'mkinitcpio',
  package: 'mkinitcpio',
  make: (release, path, packing) => `mkinitcpio ${packing === null ? '' : `-z ${packing} `}-k ${release} -g ${path}`,
  list: (path) => `lsinitcpio ${path}`,
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
