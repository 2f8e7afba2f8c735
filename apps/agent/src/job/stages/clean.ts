import { output, script } from '../../machine/command.js';
import type { Machine, Session } from '../../machine/protocols.js';

/** Only names that this agent gives; never the modules of the kernel that runs. */
const CLEAN = `
rm -f /boot/peerlab-*-vmlinuz /boot/peerlab-*-vmlinuz.part
rm -rf /var/lib/peerlab
for mark in /lib/modules/*/.peerlab; do
  [ -e "$mark" ] || continue
  [ "\${mark%/.peerlab}" = "/lib/modules/$(uname -r)" ] || rm -rf "\${mark%/.peerlab}"
done
sync`;

/** Removes our boot entry and whatever this or an earlier attempt installed. */
export async function cleanMachine(machine: Machine, session: Session, signal?: AbortSignal): Promise<void> {
  await machine.boot.remove(session);
  await output(session, script('clean', {}, CLEAN), signal === undefined ? {} : { signal });
}
