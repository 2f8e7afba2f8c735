import { cleanText } from '@peerlab/contracts';
import { output, script } from './command.js';
import { efiValue } from './efi-variable.js';
import { MachineError } from './errors.js';
import type { Session } from './protocols.js';

/** A boot loader, by the driver's name, and why it can or cannot be used for one-shot boots. */
export interface DetectedLoader {
  driver: 'systemd-boot' | 'grub' | 'grub2' | 'uefi';
  usable: boolean;
  why: string;
}

const TEXT_MAX = 200;

/** Facts, one a line, as `name=value`; an empty value = not there. Only reads. @param root what stands before paths; for tests */
export const loaderFactsScript = (root = ''): string => `
have() { command -v "$1" >/dev/null && echo yes; }
there() { [ -e "${root}$1" ] && echo yes; }
echo "efi=$(there /sys/firmware/efi/efivars)"
echo "loader=$(${efiValue(`${root}/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f`)} | tr -d '\\000')"
echo "grub=$(there /boot/grub/grub.cfg)"
echo "grub-reboot=$(have grub-reboot)"
echo "grub2=$(there /boot/grub2/grub.cfg)"
echo "grub2-reboot=$(have grub2-reboot)"
echo "bls=$(ls ${root}/boot/loader/entries/*.conf 2>/dev/null | head -n 1)"
echo "bootctl=$(have bootctl)"
echo "efibootmgr=$(have efibootmgr)"
exit 0`;

/** Which loaders the machine has, the one that booted it first; every one is named, with the reason where it cannot be used. */
export function readLoaderFacts(text: string): DetectedLoader[] {
  const facts = new Map(
    text.split('\n', 50).map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), cleanText(line.slice(at + 1).trim(), TEXT_MAX)];
    }),
  );
  const has = (name: string): boolean => (facts.get(name) ?? '') !== '';
  const loader = facts.get('loader') ?? '';
  const isSystemdBoot = loader.startsWith('systemd-boot');
  const grub = (driver: 'grub' | 'grub2', tool: string): DetectedLoader => {
    const folder = `/boot/${driver}`;
    if (!has(driver)) return { driver, usable: false, why: `${folder}/grub.cfg is not there` };
    if (isSystemdBoot) return { driver, usable: false, why: `${loader} booted this machine, not GRUB` };
    if (!has(tool)) return { driver, usable: false, why: `${tool} is missing` };
    const entries = driver === 'grub2' && has('bls') ? ', its own entries are BLS files' : '';
    return { driver, usable: true, why: `${folder}/grub.cfg is there${entries}` };
  };
  const found: DetectedLoader[] = [
    !has('efi')
      ? { driver: 'systemd-boot', usable: false, why: 'the machine was booted by BIOS' }
      : !isSystemdBoot
        ? { driver: 'systemd-boot', usable: false, why: `the loader is ${loader === '' ? 'another one' : loader}` }
        : {
            driver: 'systemd-boot',
            usable: has('bootctl'),
            why: has('bootctl') ? `${loader} booted it` : 'bootctl is missing',
          },
    grub('grub2', 'grub2-reboot'),
    grub('grub', 'grub-reboot'),
    !has('efi')
      ? { driver: 'uefi', usable: false, why: 'the machine was booted by BIOS' }
      : {
          driver: 'uefi',
          usable: has('efibootmgr'),
          why: has('efibootmgr') ? 'BootNext of the firmware' : 'efibootmgr is missing',
        },
  ];
  return found.toSorted((a, b) => Number(b.usable) - Number(a.usable));
}

/** The machine's boot loaders. */
export async function detectLoaders(session: Session): Promise<DetectedLoader[]> {
  return readLoaderFacts(
    await output(session, script('loader-facts', {}, loaderFactsScript()), { maxBytes: 64 * 1024 }),
  );
}

/** For people: which driver to name in the config, or why none can be. */
export function describeLoaders(found: readonly DetectedLoader[]): string {
  const best = found[0];
  if (best?.usable === true) return `this machine could use boot: {driver: ${best.driver}} (${best.why})`;
  return `no boot loader of this machine can be used: ${found.map(({ driver, why }) => `${driver}: ${why}`).join('; ')}`;
}

/** What the machine has where `error` refuses the configured loader, to be put behind its message; '' when there is nothing to say. */
export async function loadersInstead(session: Session, error: unknown): Promise<string> {
  if (!(error instanceof MachineError) || error.kind !== 'boot-select') return '';
  const found = await detectLoaders(session).catch(() => null);
  return found === null ? '' : `; ${describeLoaders(found)}`;
}
