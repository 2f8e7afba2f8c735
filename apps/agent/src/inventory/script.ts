import { COMMAND_LINE_MAX } from '@peerlab/contracts';
import { NOTES_MAX_BYTES } from '../job/kernel-identity.js';
import { script } from '../machine/command.js';
import { findManagementDevices } from './management-devices.js';

/**
 * Bytes of the whole output. Configuration space takes 12 KiB per function in this form: a thousand functions fit.
 */
export const INVENTORY_MAX_BYTES = 16 * 1024 * 1024;
/** Bytes of a function's configuration space. */
const CONFIG_BYTES = 4096;
/** Of what lspci says: a hundred a function. */
const NAMES_MAX_BYTES = 512 * 1024;

/**
 * Reads the whole inventory in one command: plain reads of /proc and /sys, with hardly a process
 * started per function, because a fork costs 20 ms on an emulated machine. Sections begin with
 * `@name`; a PCI function is one line of `|`-separated fields. What every machine has, and what decides about paths,
 * must be readable: it exits with 1 and names what is not, since a missing part would read as a device without it. Names
 * are for people: a machine without lspci has none.
 */
const BODY = `
export LC_ALL=C
fail() { echo "$1" >&2; exit 1; }
read_file() { value=; [ -r "$1" ] && read -r value < "$1" 2>/dev/null; :; }
echo @kernel; uname -r | head -c 256; head -c ${COMMAND_LINE_MAX} /proc/cmdline || fail "/proc/cmdline cannot be read"
if [ -e /sys/kernel/notes ]; then
  notes=$(od -An -v -tx1 -N ${NOTES_MAX_BYTES} /sys/kernel/notes) || fail "/sys/kernel/notes cannot be read"
  echo "$notes" | tr -d ' \\n'
fi
echo
echo @cpu; grep -c '^processor' /proc/cpuinfo || fail "/proc/cpuinfo names no processor"
sed '/^$/q' /proc/cpuinfo | head -c 16384
echo @memory; grep -m 1 MemTotal /proc/meminfo || fail "/proc/meminfo names no MemTotal"
echo @system
for name in sys_vendor product_name board_name bios_version; do
  read_file /sys/class/dmi/id/$name; echo "$name=$value"
done
echo @iommu
for file in /sys/kernel/iommu_groups/*/type; do [ -r "$file" ] && { read_file "$file"; echo "$value"; break; }; done
${findManagementDevices()}
echo @functions
for device in /sys/bus/pci/devices/*; do
  [ -e "$device" ] || continue
  cd -P "$device" || fail "$device cannot be entered"
  line=$PWD
  for name in vendor device subsystem_vendor subsystem_device class revision; do
    read_file "$name"; [ -n "$value" ] || fail "$PWD/$name cannot be read"
    line="$line|$value"
  done
  value=; [ ! -e driver ] || value=$(cd -P driver && echo "\${PWD##*/}") || fail "$PWD/driver cannot be read"
  line="$line|$value"
  read_file current_link_speed; line="$line|$value"
  read_file current_link_width; line="$line|$value"
  read_file numa_node; line="$line|$value"
  value=; [ ! -e iommu_group ] || value=$(cd -P iommu_group && echo "\${PWD##*/}") || fail "$PWD/iommu_group cannot be read"
  line="$line|$value"
  read_file iommu_group/type; mode=$value
  bars=; count=0
  while [ $count -lt 6 ] && read -r start end flags; do
    bars="$bars $start-$end"; count=$((count + 1))
  done < resource || fail "$PWD/resource cannot be read"
  read_file max_link_speed; line="$line|$bars|$value"
  rdma=; for link in infiniband/*; do [ ! -e "$link" ] || rdma="$rdma \${link##*/}"; done
  value=; [ ! -e physfn ] || value=$(cd -P physfn && echo "\${PWD##*/}") || fail "$PWD/physfn cannot be read"
  line="$line|$rdma|$value"
  value=; for link in net/*; do case " $management " in *" \${link##*/} "*) value=management ;; esac; done
  echo "$line|$value|$mode"
done
cd /
echo @config
for device in /sys/bus/pci/devices/*; do
  [ -e "$device" ] || continue
  printf %s "\${device##*/}"
  od -An -v -tx1 -w${CONFIG_BYTES} -N ${CONFIG_BYTES} "$device/config" || fail "$device/config cannot be read"
done
echo @names
command -v lspci >/dev/null && timeout -k 2 20 lspci -D -mm 2>/dev/null | head -c ${NAMES_MAX_BYTES}
exit 0`;

export const INVENTORY_COMMAND = script('inventory', {}, BODY);
