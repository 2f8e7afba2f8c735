import { script } from '../machine/command.js';

/** Bytes of the whole output. */
export const FACTS_MAX_BYTES = 256 * 1024;

/** Programs that a job starts on the machine, with the package that Debian has them in. */
export const NEEDED_TOOLS: Readonly<Record<string, string>> = {
  tar: 'tar',
  sha256sum: 'coreutils',
  findmnt: 'util-linux',
  flock: 'util-linux',
  depmod: 'kmod',
  modprobe: 'kmod',
  find: 'findutils',
  grep: 'grep',
};

/** Services that replace or add kernels without being asked. */
export const UPGRADERS = [
  'unattended-upgrades.service',
  'dnf-automatic.timer',
  'dnf-automatic-install.timer',
  'dnf5-automatic.timer',
  'packagekit-offline-update.service',
  'transactional-update.timer',
] as const;

/** Folders that the farm writes to. */
const PLACES = '/boot /lib/modules /var/lib';

/**
 * Reads what decides whether a machine can serve; changes nothing. Sections begin with `@name`. What a system has not
 * is left out: that is a fact as well.
 */
const BODY = `
export LC_ALL=C
echo @account; id -u; id -un
echo @time; date +%s
echo @space; df -Pk ${PLACES} 2>/dev/null
echo @mounts
for place in ${PLACES}; do echo "$place $(findmnt -no FSTYPE,OPTIONS -T "$place" 2>/dev/null | head -c 1000 | tr '\\n' ' ')"; done
echo @root; findmnt -no SOURCE,FSTYPE / 2>/dev/null | head -c 1000
echo @tools
for tool in ${Object.keys(NEEDED_TOOLS).join(' ')}; do command -v "$tool" >/dev/null || echo "missing $tool"; done
for tool in update-initramfs dracut mkinitcpio; do command -v "$tool" >/dev/null && echo "initramfs $tool"; done
echo @upgrades
for unit in ${UPGRADERS.join(' ')}; do
  state=$(systemctl is-enabled "$unit" 2>/dev/null) && echo "$unit $state"
done
echo @kdump
[ ! -r /sys/kernel/kexec_crash_loaded ] || echo "loaded $(head -c 8 /sys/kernel/kexec_crash_loaded)"
echo @watchdog
for watchdog in /sys/class/watchdog/watchdog*; do
  [ -e "$watchdog" ] || continue
  echo "\${watchdog##*/}|$(head -c 16 "$watchdog/state" 2>/dev/null)|$(head -c 100 "$watchdog/identity" 2>/dev/null)"
done
echo "systemd|$(systemctl show -p RuntimeWatchdogUSec --value 2>/dev/null | head -c 32)"
echo @modules
for taint in /sys/module/*/taint; do
  [ -r "$taint" ] || continue
  read -r letters < "$taint" || continue
  case $letters in *O*|*E*|*F*|*P*) name=\${taint%/taint}; echo "\${name##*/} $letters" ;; esac
done 2>/dev/null | head -n 200
[ ! -d /sys/module/mlx_compat ] || echo "mlx_compat loaded"
echo @consoles; head -c 2000 /proc/consoles 2>/dev/null
echo @fence; head -c 20 /var/lib/peerlab.fence 2>/dev/null
exit 0`;

export const FACTS_COMMAND = script('enrolment-facts', {}, BODY);
