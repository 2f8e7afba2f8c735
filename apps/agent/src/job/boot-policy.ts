import { output, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';

/** The value of the EFI variable SecureBoot comes after four bytes of attributes. */
const READ = `for file in /sys/firmware/efi/efivars/SecureBoot-*; do
  [ ! -r "$file" ] || echo "secure-boot $(od -An -tu1 -j4 -N1 "$file")"
done
[ ! -r /sys/kernel/security/lockdown ] || echo "lockdown $(head -c 200 /sys/kernel/security/lockdown)"`;

/** Why the machine would refuse an unsigned kernel, with the remedy; null when it would not. */
export function whyRefused(text: string): string | null {
  if (/^secure-boot +1$/m.test(text)) {
    return 'Secure Boot is on, and refuses a kernel that is not signed with a key of this machine; turn it off in the firmware';
  }
  const mode = /^lockdown .*\[(integrity|confidentiality)\]/m.exec(text)?.[1];
  if (mode === undefined) return null;
  return (
    `the default kernel is locked down (${mode}), and so would be a kernel under test, which refuses modules without a signature; ` +
    'take lockdown= from its command line, or turn Secure Boot off'
  );
}

/** What the machine says about kernels that it boots; see `whyRefused`. */
export const readBootPolicy = (session: Session, signal: AbortSignal): Promise<string> =>
  output(session, script('boot-policy', {}, READ), { signal, maxBytes: 4096 });
