import { output, script } from '../../machine/command.js';
import { CONFIG_MARK } from '../../machine/shown-config.js';
import type { Machine, Session } from '../../machine/protocols.js';
import { MODULES_MARK } from '../modules-archive.js';

/**
 * Only names that this agent gives; never the modules of the kernel that runs. What a name matches is never
 * read as words or patterns again, and a link is never followed: a folder of modules is ours by a plain file
 * in it that is empty (older versions) or holds the key of a bundle.
 * @param root what stands before every path; for tests
 */
export const cleanScript = (root = ''): string => `
for image in ${root}/boot/peerlab-*-vmlinuz ${root}/boot/peerlab-*-vmlinuz.part ${root}/boot/peerlab-*-initrd.img; do
  [ -d "$image" ] && [ ! -L "$image" ] || rm -f -- "$image"
done
rm -rf -- ${root}/var/lib/peerlab
for config in ${root}/boot/config-*; do
  [ -f "$config" ] && [ ! -L "$config" ] && head -n 1 -- "$config" | grep -qxF '${CONFIG_MARK}' || continue
  rm -f -- "$config"
done
for modules in ${root}/lib/modules/*; do
  mark=$modules/${MODULES_MARK}
  [ -d "$modules" ] && [ ! -L "$modules" ] && [ -f "$mark" ] && [ ! -L "$mark" ] || continue
  [ "$modules" != "${root}/lib/modules/$(uname -r)" ] || continue
  [ ! -s "$mark" ] || head -c 65 -- "$mark" | grep -qxE '[0-9a-f]{64}' || continue
  rm -rf -- "$modules"
done
sync`;

/** Removes our boot entry and whatever this or an earlier attempt installed. */
export async function cleanMachine(machine: Machine, session: Session, signal?: AbortSignal): Promise<void> {
  await machine.boot.remove(session);
  await output(session, script('clean', {}, cleanScript()), signal === undefined ? {} : { signal });
}
