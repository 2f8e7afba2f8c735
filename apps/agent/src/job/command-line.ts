/** Options of the default kernel that the candidate must not inherit. */
const OWN = new Set(['BOOT_IMAGE', 'initrd', 'root', 'ro', 'rw', 'quiet', 'splash', 'panic', 'oops', 'init', 'rdinit']);

/** What makes a sick kernel fall back to the default instead of lingering. */
const FALLBACK = ['panic=5', 'oops=panic', 'softlockup_panic=1', 'hung_task_panic=1', 'panic_on_warn=0'];

/** A root that a kernel finds without an initramfs. */
const PLAIN_ROOT = /^root=(\/dev\/(?!mapper|md|dm-|zvol)|PARTUUID=)/;

/** Whether the default kernel's own root= serves a kernel without an initramfs. */
export const namesPlainRoot = (commandLine: string): boolean =>
  commandLine.split(' ').some((option) => PLAIN_ROOT.test(option));

/** x86 has room for 2048 bytes with the one that ends it, and cuts off what is longer without a word. */
export const COMMAND_LINE_LIMIT = 2047;

/**
 * Command line of the kernel under test. The nonce comes first: whatever is cut off, it still shows which kernel runs.
 * It keeps what describes the machine (console, network names,
 * IOMMU, PCI, timers), because another IOMMU mode would be another combination, and adds nothing that would change
 * names or devices; `rootDevice` is used
 * when the default names its root in a way that needs an initrd (UUID=, LABEL=, /dev/mapper).
 * With an initramfs, which finds any root, the default's own root= stays word for word.
 * `machineArguments` are added where the default has not got them word for word.
 */
export function candidateCommandLine(
  defaultCommandLine: string,
  rootDevice: string,
  ids: { nonce: string; attemptId: string },
  machineArguments: readonly string[] = [],
  hasInitramfs = false,
): string {
  const options = defaultCommandLine.trim().split(/\s+/);
  const nameOf = (option: string): string => option.split('=', 1)[0] ?? '';
  const own = hasInitramfs
    ? options.find((option) => option.startsWith('root='))
    : options.find((option) => PLAIN_ROOT.test(option));
  const root = own ?? `root=${rootDevice}`;
  const mount = options.find((option) => option === 'rw' || option === 'ro') ?? 'ro';
  const kept = options.filter(
    (option) =>
      option !== '' &&
      !OWN.has(nameOf(option)) &&
      !nameOf(option).startsWith('peerlab.') &&
      !nameOf(option).startsWith('systemd.'),
  );
  kept.push(...machineArguments.filter((argument) => !kept.includes(argument)));
  const known = new Set(kept.map(nameOf));
  const added = [...FALLBACK, 'ignore_loglevel'].filter((option) => !known.has(nameOf(option)));
  return [`peerlab.nonce=${ids.nonce}`, `peerlab.attempt=${ids.attemptId}`, root, mount, ...kept, ...added].join(' ');
}

/** Why a command line cannot be given to a kernel, with the remedy; null when it can. `imagePath`: the loader puts it in front. */
export function whyTooLong(commandLine: string, imagePath: string): string | null {
  const length = `BOOT_IMAGE=${imagePath} ${commandLine}`.length;
  if (length <= COMMAND_LINE_LIMIT) return null;
  return (
    `the kernel's command line would have ${length} characters, and the kernel takes ${COMMAND_LINE_LIMIT}; ` +
    'shorten that of the default kernel (GRUB_CMDLINE_LINUX) or kernelArguments in the config of the agent'
  );
}

/** Words that are named of those that are missing. */
const NAMED_WORDS = 5;

/**
 * Why the running kernel has not the command line that was installed; null when it has every word of it, in order.
 * A loader may put words in front or behind. @param installed null = not known (an attempt that an older agent began)
 */
export function whyOtherCommandLine(installed: string | null, running: string): string | null {
  if (installed === null) return null;
  const words = running.split(' ');
  let from = 0;
  const lacking = installed.split(' ').filter((word) => {
    const at = words.indexOf(word, from);
    if (at !== -1) from = at + 1;
    return at === -1;
  });
  if (lacking.length === 0) return null;
  const named = lacking.slice(0, NAMED_WORDS).join(' ');
  const more = lacking.length > NAMED_WORDS ? ` and ${lacking.length - NAMED_WORDS} more words` : '';
  return `the boot loader gave the kernel another command line than the installed one: ${named}${more} did not arrive`;
}
