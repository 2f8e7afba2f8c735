import { createHash } from 'node:crypto';

/** Digits of the digest that stand in a name: kernel/scripts/configuration.sh has as many. */
const NAME_DIGITS = 16;

/**
 * What the manifests of its kernels call a configuration that stands for itself. It follows from the settings, so that
 * machines whose configurations are equal share a build: the rule of name_in_manifest in kernel/scripts/configuration.sh.
 * @param whole the configuration
 * @param fragment config/farm.fragment, which is merged into it
 */
export function nameInManifest(whole: Buffer, fragment: Buffer): string {
  const parts = `whole ${digestOf(settingsOf(whole))}\nfragment ${digestOf(settingsOf(fragment))}\n`;
  return `whole-${digestOf(parts).slice(0, NAME_DIGITS)}`;
}

/** Without empty lines and comments, but for lines that say what is not set. A character for each byte, whatever it is. */
const settingsOf = (file: Buffer): string =>
  file
    .toString('latin1')
    .split(/(?<=\n)/)
    .filter((line) => (line.startsWith('#') ? line.startsWith('# CONFIG_') : !/^[ \t\r]*\n?$/.test(line)))
    .join('');

const digestOf = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex');
