import { purposeOf } from './command.js';

/**
 * A machine keeps the fence of the attempt that has it in a small file. Two agents that both believe to
 * own a machine (a copied configuration, a virtual machine restored from a snapshot) meet here: the
 * higher fence wins, and every command of the other one refuses itself.
 */
export const FENCE_FILE = '/var/lib/peerlab.fence';

/** Exit status of a command that found another fence than it expects. */
export const FENCE_REFUSED = 79;

/** What such a command writes to stderr, with the fence that it found. */
const REFUSAL = 'peerlab-fence:';

/**
 * The machine may be in the hands of the kernel under test: of its fence file no more than this is read. A
 * fence and its token need 48.
 */
const FILE_READ_BYTES = 64;
/** Longer numbers are no fences: milliseconds since 1970 have 13 digits, and shells compare 15 exactly. */
const FENCE_DIGITS_MAX = 15;

/** Fence of an attempt, and which of its executions speaks: 32 hex digits, new with every start of a job. */
export interface MachineFence {
  fence: number;
  token: string;
  /** A fence of which the controller says that no attempt ever had it: on the machine it counts as none. */
  forged?: number;
}

/** `own` = only while the machine has exactly this fence; `not-higher` = unless a newer attempt has it. */
export type FenceMode = 'own' | 'not-higher';

/** Commands that only read, or that wait for a lock of their own: they take no share in the fence's lock. */
const READING = new Set([
  'identify',
  'device-errors',
  'df',
  'digest',
  'collect',
  'fence-check',
  'fingerprint',
  'kdump-list',
  'kdump-read',
  'kmsg-dump',
  'kmsg-follow',
  'pstore-list',
  'pstore-read',
  'root-device',
  'suite-list',
  'grub-pending',
  'grub-preflight',
  'grub-read',
  'grub-read-custom',
]);

/** How long a command waits while the fence changes hands, and a claim for commands under way, in seconds. */
const SHARE_SECONDS = 30;
const CLAIM_SECONDS = 90;

/** Time limit for running `claimCommand`, in milliseconds. */
export const CLAIM_TIMEOUT_MS = (CLAIM_SECONDS + 60) * 1000;

/** Reads fence and token; what is no plausible fence, or a forged one, counts as 0. */
const READ = (file: string, forged: number | undefined): string =>
  `peerlab_read=
[ ! -f ${file} ] || peerlab_read=$(head -c ${FILE_READ_BYTES} ${file} 2>/dev/null | tr -d '\\000' | head -n 1)
peerlab_held=\${peerlab_read%% *} peerlab_owner=\${peerlab_read#* }
case $peerlab_held in ''|*[!0-9]*|${'?'.repeat(FENCE_DIGITS_MAX + 1)}*${forged === undefined ? '' : `|${forged}`}) peerlab_held=0 ;; esac`;

/** A folder, a pipe or a link in the place of a file would keep every attempt away for ever. */
const removeOther = (file: string): string =>
  `if [ -h ${file} ] || { [ -e ${file} ] && [ ! -f ${file} ]; }; then rm -rf ${file}; fi`;

const REFUSE = `{ echo "${REFUSAL} $peerlab_held" >&2; exit ${FENCE_REFUSED}; }`;

/**
 * Writes the fence down, unless a higher one is there, or the same one of another execution. Waits for
 * commands of the attempt before that are still under way.
 */
export function claimCommand({ fence, token, forged }: MachineFence, file = FENCE_FILE): string {
  return `# peerlab fence-claim ${JSON.stringify({ fence, token, forged })}
${removeOther(`${file}.lock`)}
exec 9>>${file}.lock || exit 1
flock -x -w ${CLAIM_SECONDS} 9 || { echo "commands of another attempt still run on this machine" >&2; exit 1; }
[ ! -f ${file} ] || head -c 1 ${file} >/dev/null || exit 1
${READ(file, forged)}
[ "$peerlab_held" -lt ${fence} ] || [ "$peerlab_held $peerlab_owner" = "${fence} ${token}" ] || ${REFUSE}
${removeOther(file)}
${removeOther(`${file}.new`)}
printf '%s %s\\n' ${fence} ${token} >${file}.new && sync ${file}.new && mv -f ${file}.new ${file} && sync ${file}`;
}

/**
 * The command behind a comparison with the machine's fence, in one shell: it exits with FENCE_REFUSED
 * instead of doing anything when the fence is another one.
 * @param holding the fence may not change hands before the command has ended; for commands that end soon
 */
export function fencedCommand(
  command: string,
  { fence, token, forged }: MachineFence,
  mode: FenceMode,
  holding: boolean,
  file = FENCE_FILE,
): string {
  const lock = holding && !READING.has(purposeOf(command)?.purpose ?? '');
  const lines = [
    `# peerlab-fence ${JSON.stringify({ fence, token, forged, mode })}`,
    ...(lock ? [mode === 'own' ? takeShare(file) : tryShare(file)] : []),
    READ(file, forged),
    mode === 'own'
      ? `[ "$peerlab_held $peerlab_owner" = "${fence} ${token}" ] || ${REFUSE}`
      : `[ "$peerlab_held" -le ${fence} ] || ${REFUSE}`,
  ];
  const [first = '', ...rest] = command.split('\n');
  // What the command is for stays in its first line.
  if (!first.startsWith('# peerlab ')) return [...lines, command].join('\n');
  return [first, ...lines, ...rest].join('\n');
}

const takeShare = (file: string): string =>
  `exec 9>>${file}.lock || exit 1
flock -s -w ${SHARE_SECONDS} 9 || { echo "the machine's fence is changing hands" >&2; exit 1; }`;

/** A file system that cannot be written any more must not keep a machine from being restored. */
const tryShare = (file: string): string =>
  `if ( : 9>>${file}.lock ) 2>/dev/null; then exec 9>>${file}.lock; flock -s -w ${SHARE_SECONDS} 9 || :; fi`;

/** The fence that a command compares with, as `fencedCommand` wrote it; null for an unfenced one. */
export function fenceOf(command: string): (MachineFence & { mode: FenceMode }) | null {
  const match = /^# peerlab-fence (\{.*\})$/m.exec(command);
  return match === null ? null : (JSON.parse(match[1] ?? '{}') as MachineFence & { mode: FenceMode });
}

/** The fence that a refused command found on the machine; null when it was not refused. */
export function refusedBy({ code, stderr }: { code: number | null; stderr: string }): number | null {
  if (code !== FENCE_REFUSED) return null;
  const found = new RegExp(`^${REFUSAL} (\\d{1,${FENCE_DIGITS_MAX}})$`, 'm').exec(stderr)?.[1];
  return found === undefined ? null : Number(found);
}

/** Whether a line of stderr is a refusal; the command that wrote it did nothing. */
export const isRefusal = (line: string): boolean => line.startsWith(`${REFUSAL} `);
