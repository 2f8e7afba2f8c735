/**
 * Shell text that sets `management` to the names of the network devices that carry the agent's connection, separated by blanks:
 * that of the address which the agent reached, as SSH tells it, or else that of the route back; then all below it, such as the
 * members of a bond or of a bridge. Nothing when SSH or `ip` does not tell.
 * @param sys what holds the kernel's class folder
 */
export const findManagementDevices = (sys = '/sys'): string => `management=
beneath() {
  case " $management " in *" $1 "*) return ;; esac
  management="\${management:+$management }$1"
  for link in ${sys}/class/net/"$1"/lower_*; do [ ! -e "$link" ] || beneath "\${link##*/lower_}"; done
}
if [ -n "$SSH_CONNECTION" ]; then
  set -- $SSH_CONNECTION
  top=$(ip -o addr show to "\${3%%%*}" 2>/dev/null | awk 'NR == 1 { sub(/@.*/, "", $2); print $2 }')
  # An address of the loopback device is reached over another one.
  case $top in
  '' | lo) top=$(ip -o route get "\${1%%%*}" 2>/dev/null | awk '{ for (at = 1; at < NF; at++) if ($at == "dev") { print $(at + 1); exit } }') ;;
  esac
  case $top in '' | lo) ;; *) beneath "$top" ;; esac
fi`;
