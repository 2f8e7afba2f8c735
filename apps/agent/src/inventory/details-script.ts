import { script } from '../machine/command.js';

/** Bytes of the whole output: a hundred for each of some parts of each function. */
export const DETAILS_MAX_BYTES = 1024 * 1024;
/** Of what one program says. */
const TOOL_MAX_BYTES = 64 * 1024;

/**
 * Reads what some machines tell of their devices: versions of firmware and drivers. All of it is optional, each program has a time
 * of its own, and none is asked that would load a driver. Parts that begin with `number-` are numbers of one specimen. Lines are `ADDRESS|PART|VALUE`, with
 * `machine` for the address of what is no function; those of a port are `ADDRESS|port-DEVICE/NUMBER|STATE|PHYSICAL STATE|RATE|LINK LAYER`; below
 * `@nvidia` stand those of nvidia-smi.
 */
const body = (devices: string, nvidia: string, dmi: string): string => `
export LC_ALL=C
say() { [ -r "$2" ] && read -r value < "$2" && [ -n "$value" ] && echo "$address|$1|$value"; }
{
address=machine
say "number-board" ${dmi}/board_serial
# Both stand where a shell without a login does not look.
PATH=$PATH:/usr/sbin:/sbin
[ -e ${dmi}/board_serial ] && command -v dmidecode >/dev/null && timeout -k 1 10 dmidecode -t 17 | head -c ${TOOL_MAX_BYTES} | awk -F ': ' '
  function tell() { if (serial != "") print "machine|number-memory module " (bank == "" ? "" : bank " ") place "|" serial " " part; place = bank = serial = part = "" }
  /^Handle/ { tell() }
  /^\tLocator: / { place = $2 }
  /^\tBank Locator: / { bank = $2 }
  /^\tSerial Number: / { serial = $2 }
  /^\tPart Number: / { part = $2 }
  END { tell() }'
for device in ${devices}/*; do
  [ -e "$device" ] || continue
  address=\${device##*/}
  # A virtual function runs the firmware of its physical one.
  [ ! -e "$device/physfn" ] || continue
  for file in "$device"/infiniband/*/fw_ver; do say RDMA "$file"; done
  for file in "$device"/infiniband/*/board_id; do say board "$file"; done
  for file in "$device"/nvme/nvme*/firmware_rev; do say NVMe "$file"; done
  for file in "$device"/infiniband/*/node_guid; do say number-GUID "$file"; done
  for file in "$device"/nvme/nvme*/serial; do say number-NVMe "$file"; done
  for file in "$device"/infiniband/*/ports/*; do
    [ -r "$file/state" ] || continue
    name=\${file%/ports/*}; line="$address|port-\${name##*/}/\${file##*/}"
    for part in state phys_state rate link_layer; do value=; read -r value < "$file/$part"; line="$line|$value"; done
    echo "$line"
  done
  # What is in the flash: another version than the running one waits for a reset.
  if [ -e "$device/infiniband" ] && command -v mstflint >/dev/null; then
    value=$(timeout -k 1 10 mstflint -d "$address" q | sed -n 's/^FW Version: *//p' | head -c 256)
    [ -z "$value" ] || echo "$address|flash|$value"
  fi
  say number-device "$device/serial_number"
  say number-GPU "$device/unique_id"
  say VBIOS "$device/vbios_version"
  say memory "$device/mem_info_vram_total"
  for link in "$device"/net/*; do
    [ -e "$link" ] && command -v ethtool >/dev/null || continue
    value=$(timeout -k 1 5 ethtool -i "\${link##*/}" | sed -n 's/^firmware-version: //p' | head -c 256)
    [ -z "$value" ] || echo "$address|network|$value"
  done
done
echo @nvidia
[ -e ${nvidia} ] && command -v nvidia-smi >/dev/null &&
  timeout -k 2 30 nvidia-smi --query-gpu=pci.bus_id,vbios_version,driver_version,memory.total,uuid --format=csv,noheader,nounits |
  head -c ${TOOL_MAX_BYTES}
} 2>/dev/null
exit 0`;

/** The files are those of the machine but in tests. */
export const detailsScript = (
  devices = '/sys/bus/pci/devices',
  nvidia = '/proc/driver/nvidia/version',
  dmi = '/sys/class/dmi/id',
): string => script('inventory-details', {}, body(devices, nvidia, dmi));
