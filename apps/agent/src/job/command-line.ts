/** Options of the default kernel that the candidate must not inherit. */
const OWN = new Set(['BOOT_IMAGE', 'initrd', 'root', 'ro', 'rw', 'quiet', 'splash', 'panic', 'oops', 'init', 'rdinit']);

/** What makes a sick kernel fall back to the default instead of lingering. */
const FALLBACK = ['panic=5', 'oops=panic', 'softlockup_panic=1', 'hung_task_panic=1', 'panic_on_warn=0'];

/**
 * Command line of the kernel under test. It keeps what describes the machine (console, network names,
 * IOMMU, PCI, timers), because another IOMMU mode would be another combination; `rootDevice` is used
 * when the default names its root in a way that needs an initrd (UUID=, LABEL=, /dev/mapper).
 * `machineArguments` are added where the default has not got them word for word.
 */
export function candidateCommandLine(
  defaultCommandLine: string,
  rootDevice: string,
  ids: { nonce: string; attemptId: string },
  machineArguments: readonly string[] = [],
): string {
  const options = defaultCommandLine.trim().split(/\s+/);
  const nameOf = (option: string): string => option.split('=', 1)[0] ?? '';
  const root = options.find((option) => /^root=(\/dev\/(?!mapper)|PARTUUID=)/.test(option)) ?? `root=${rootDevice}`;
  const mount = options.find((option) => option === 'rw' || option === 'ro') ?? 'ro';
  const kept = options.filter(
    (option) =>
      option !== '' &&
      !OWN.has(nameOf(option)) &&
      !nameOf(option).startsWith('peerlab.') &&
      !nameOf(option).startsWith('systemd.'),
  );
  if (!kept.some((option) => option.startsWith('console='))) kept.unshift('console=ttyS0,115200');
  if (!kept.some((option) => option.startsWith('net.ifnames='))) kept.push('net.ifnames=0');
  kept.push(...machineArguments.filter((argument) => !kept.includes(argument)));
  const known = new Set(kept.map(nameOf));
  const added = [...FALLBACK, 'ignore_loglevel'].filter((option) => !known.has(nameOf(option)));
  return [root, mount, ...kept, ...added, `peerlab.nonce=${ids.nonce}`, `peerlab.attempt=${ids.attemptId}`].join(' ');
}
