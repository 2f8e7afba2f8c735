import { open } from 'node:fs/promises';

/** A distribution's configuration has 300 KB. */
const CONFIG_MAX_BYTES = 2 ** 20;

/** The text of a bundle's configuration file, as far as it is read. */
export async function readConfig(file: string): Promise<string> {
  const opened = await open(file);
  try {
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(CONFIG_MAX_BYTES), 0, CONFIG_MAX_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await opened.close();
  }
}

/** Words of the command line by which a kernel refuses modules without a signature. */
const ENFORCING = ['module.sig_enforce', 'module.sig_enforce=1', 'module.sig_enforce=y', 'module.sig_enforce=Y'];
const LOCKING = ['lockdown=integrity', 'lockdown=confidentiality'];
const FORCING = ['MODULE_SIG_FORCE', 'LOCK_DOWN_KERNEL_FORCE_INTEGRITY', 'LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY'];

/**
 * Why a kernel refuses all modules of its bundle, which nobody but its own build could have signed; null when it does not.
 * @param config of the kernel
 * @param commandLine that it gets
 */
export function whyModulesRefused(config: string, commandLine: string): { why: string; isOfMachine: boolean } | null {
  const has = (name: string): boolean => `\n${config}\n`.includes(`\nCONFIG_${name}=y\n`);
  // With MODULE_SIG_ALL the build signs them with a key that the kernel has.
  if (!has('MODULE_SIG') || has('MODULE_SIG_ALL')) return null;
  const forced = FORCING.find(has);
  if (forced !== undefined) {
    return {
      why: `its configuration has CONFIG_${forced}, and its modules are not signed; build it with CONFIG_MODULE_SIG_ALL, or without CONFIG_MODULE_SIG`,
      isOfMachine: false,
    };
  }
  const words = [...ENFORCING, ...(has('SECURITY_LOCKDOWN_LSM') ? LOCKING : [])];
  const word = commandLine.split(' ').find((one) => words.includes(one));
  if (word === undefined) return null;
  return {
    why: `the command line of the machine has ${word}, and its modules are not signed; take that out, or build it with CONFIG_MODULE_SIG_ALL`,
    isOfMachine: true,
  };
}
