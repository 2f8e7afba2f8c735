import { judgeBootPolicy, readBootPolicy } from '../job/boot-policy.js';
import { candidateCommandLine, whyTooLong } from '../job/command-line.js';
import type { Booted } from '../job/machine-connection.js';
import { output, script } from '../machine/command.js';
import { MachineError } from '../machine/errors.js';
import type { Machine } from '../machine/protocols.js';
import type { KernelSigner } from '../signing/index.js';
import { placeResigned } from './resigned-image.js';

/** Prints the image of the running kernel and its initramfs, each on a line; an empty one where there is none. */
const FIND = `release=$(uname -r)
first() { for file in "$@"; do [ ! -f "$file" ] || { echo "$file"; return; }; done; echo; }
image=$(sed -n 's/.*BOOT_IMAGE=\\([^ ]*\\).*/\\1/p' /proc/cmdline); image=\${image#*)}
first "/boot/vmlinuz-$release" "/boot/vmlinux-$release" "/usr/lib/modules/$release/vmlinuz" "$image" "/boot$image"
first "/boot/initrd.img-$release" "/boot/initramfs-$release.img" "/boot/initrd-$release"
findmnt -no SOURCE / | head -n 1`;

/** A path that a boot entry can name. */
const PLAIN_PATH = /^\/[\w./+~-]{1,300}$/;

/**
 * Installs the machine's own default kernel as the boot entry of a candidate: the same image, initramfs and arguments,
 * with a nonce that shows it apart. Where candidates are signed for Secure Boot, the site signs this one, too. Throws
 * MachineError('boot-select') when its image cannot be found.
 * @returns with whose signature it boots; null = as it is
 */
export async function installDefaultAsCandidate(
  machine: Machine,
  { session, kernel }: Booted,
  nonce: string,
  signal: AbortSignal,
): Promise<KernelSigner | null> {
  const [image = '', initrd = '', root = ''] = (await output(session, script('default-image', {}, FIND))).split('\n');
  if (!PLAIN_PATH.test(image)) {
    throw new MachineError(
      'boot-select',
      `the image of the running kernel ${kernel.release} is not where kernels are`,
      'put it into /boot as vmlinuz-RELEASE',
    );
  }
  const hasInitrd = PLAIN_PATH.test(initrd);
  const ids = { nonce, attemptId: 'enrolment' };
  const commandLine = candidateCommandLine(kernel.commandLine, root.trim(), ids, machine.kernelArguments, hasInitrd);
  const tooLong = whyTooLong(commandLine, image);
  if (tooLong !== null) throw new MachineError('settings', tooLong);
  const permission = judgeBootPolicy(await readBootPolicy(session, signal), machine, kernel.commandLine);
  const signer = permission.kind === 'signed' ? permission.signer : null;
  const kernelPath = signer === null ? image : await placeResigned(session, image, signer, signal);
  await machine.boot.install(session, { kernelPath, commandLine, ...(hasInitrd ? { initrdPath: initrd } : {}) });
  return signer;
}
