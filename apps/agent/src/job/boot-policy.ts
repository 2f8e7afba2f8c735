import { output, script } from '../machine/command.js';
import type { BootSelect, Session } from '../machine/protocols.js';
import type { KernelSigner } from '../signing/index.js';

/** Longest list of keys that is read, in bytes; firmware keeps 32 KiB or less. */
const KEYS_MAX_BYTES = 96 * 1024;
const OUTPUT_MAX_BYTES = 1024 * 1024;

/**
 * Values of EFI variables come after four bytes of attributes; the kernel's own copies of shim's have none. efivarfs
 * refuses to seek, hence the pipes. The kernel was told at boot what the firmware said, for systems where efivarfs is not
 * mounted: 2 = off, 3 = on.
 * @param root what stands before /sys; for tests
 */
export const bootPolicyScript = (root = ''): string => `sys=${root}/sys efi=${root}/sys/firmware/efi
[ ! -d $efi ] || echo "firmware uefi"
for file in $efi/efivars/SecureBoot-8be4df61-*; do
  [ ! -r "$file" ] || echo "secure-boot $(cat "$file" | od -An -tu1 -j4 -N1)"
done
[ ! -r $sys/kernel/boot_params/data ] || echo "told $(od -An -tu1 -j492 -N1 $sys/kernel/boot_params/data)"
for file in $efi/efivars/MokSBStateRT-605dab50-*; do
  [ ! -r "$file" ] || echo "shim-unchecked $(cat "$file" | od -An -tu1 -j4 -N1)"
done
keys() { echo "$1 $(cat "$3" 2>/dev/null | tail -c +"$2" | head -c ${KEYS_MAX_BYTES} | base64 -w 0)"; }
for file in $efi/efivars/db-d719b2cb-*; do [ ! -r "$file" ] || keys db 5 "$file"; done
for file in $efi/efivars/MokListRT*-605dab50-*; do [ ! -r "$file" ] || keys mok 5 "$file"; done
for file in $efi/mok-variables/MokListRT*; do [ ! -r "$file" ] || keys mok 1 "$file"; done
[ ! -r $sys/kernel/security/lockdown ] || echo "lockdown $(head -c 200 $sys/kernel/security/lockdown)"`;

/** What a machine says about the kernels that it boots. */
export interface BootPolicy {
  /** null = it has UEFI, and nothing there says. */
  secureBoot: boolean | null;
  /** The owner told shim not to check signatures. */
  shimUnchecked: boolean;
  /** Keys that the firmware trusts, and those that its owner gave to shim: EFI signature lists. */
  db: Buffer;
  mok: Buffer;
  /** How far the running kernel is locked down; null = not. */
  lockdown: string | null;
}

/** Reads what the script printed; what is not there is off or empty. */
export function parseBootPolicy(text: string): BootPolicy {
  const values = (name: string): string[] =>
    text.split('\n').flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1).trim()] : []));
  const keys = (name: string): Buffer => Buffer.concat(values(name).map((value) => Buffer.from(value, 'base64')));
  const isUefi = values('firmware').includes('uefi');
  const said = values('secure-boot')[0] ?? { 2: '0', 3: '1' }[Number(values('told')[0])];
  return {
    secureBoot: said === undefined && isUefi ? null : said === '1',
    shimUnchecked: values('shim-unchecked')[0] === '1',
    db: keys('db'),
    mok: keys('mok'),
    lockdown: /\[(integrity|confidentiality)\]/.exec(values('lockdown')[0]?.slice(0, 200) ?? '')?.[1] ?? null,
  };
}

/** What the machine says about kernels that it boots. */
export async function readBootPolicy(session: Session, signal: AbortSignal): Promise<BootPolicy> {
  return parseBootPolicy(
    await output(session, script('boot-policy', {}, bootPolicyScript()), { signal, maxBytes: OUTPUT_MAX_BYTES }),
  );
}

/** How a kernel under test comes past the firmware: as it is, signed by the site, or not at all. */
export type BootPermission =
  /** `isSure` false = the machine could not say whether Secure Boot is on. */
  | { kind: 'unsigned'; why: string; isSure: boolean }
  | { kind: 'signed'; why: string; signer: KernelSigner }
  | { kind: 'refused'; why: string; remedy: string };

const unsigned = (why: string, isSure = true): BootPermission => ({ kind: 'unsigned', why, isSure });

const LOCKDOWN_WORDS = ['lockdown=integrity', 'lockdown=confidentiality'];

/**
 * The one rule about Secure Boot and lockdown, for enrolment and for every job.
 * @param commandLine the default kernel's; candidates inherit its words
 */
export function judgeBootPolicy(
  policy: BootPolicy,
  { boot, signer }: { boot: Pick<BootSelect, 'loader' | 'trusts'>; signer: KernelSigner | null },
  commandLine: string,
): BootPermission {
  const { secureBoot, lockdown } = policy;
  // Distributions lock their kernels down where Secure Boot is on. A kernel under test is upstream's, which does not; but it inherits the
  // words of the command line.
  const byWords = commandLine.split(' ').some((word) => LOCKDOWN_WORDS.includes(word));
  if (lockdown !== null && (byWords || secureBoot === false)) {
    return {
      kind: 'refused',
      why: `the default kernel is locked down (${lockdown}), and so would be a kernel under test, which refuses modules without a signature`,
      remedy: byWords ? 'take lockdown= from its command line' : 'boot a default kernel that is not locked down',
    };
  }
  if (boot.trusts === 'kernel') {
    if (lockdown === null) return unsigned('the running kernel loads others without asking for a signature');
    return {
      kind: 'refused',
      why: `the default kernel is locked down (${lockdown}), and loads no kernel under test by ${boot.loader}`,
      remedy: 'name the boot loader of this machine in boot:',
    };
  }
  if (secureBoot === false) return unsigned('Secure Boot is off');
  if (secureBoot === null) {
    return unsigned(
      'whether Secure Boot is on could not be read; where it is, a kernel under test is not loaded',
      false,
    );
  }
  const hasShim = boot.trusts === 'firmware-and-shim';
  if (hasShim && policy.shimUnchecked) return unsigned('Secure Boot is on, and shim was told not to check kernels');
  if (signer === null) {
    return {
      kind: 'refused',
      why: 'Secure Boot is on, and refuses a kernel that is not signed with a key of this machine',
      remedy:
        'configure signing: with a key of the site and enrol its certificate here, or turn Secure Boot off in the firmware',
    };
  }
  const holds = (keys: Buffer): boolean => keys.includes(signer.certificate);
  if (holds(policy.db))
    return { kind: 'signed', why: "Secure Boot is on, and the site's certificate is in db", signer };
  if (hasShim && holds(policy.mok)) {
    return {
      kind: 'signed',
      why: "Secure Boot is on, and the site's certificate is among the keys of its owner (MOK)",
      signer,
    };
  }
  const enrol = hasShim
    ? `copy ${signer.certificateFile} to it in DER, run mokutil --import there, and confirm at its console in the next boot`
    : `add ${signer.certificateFile} to db in the set-up of the firmware, where ${boot.loader} looks`;
  return {
    kind: 'refused',
    why:
      policy.db.length === 0
        ? 'Secure Boot is on, and which keys the firmware trusts cannot be read'
        : "Secure Boot is on, and the site's certificate is not enrolled",
    remedy:
      policy.db.length === 0 ? 'mount efivarfs at /sys/firmware/efi/efivars' : `${enrol}; or turn Secure Boot off`,
  };
}
