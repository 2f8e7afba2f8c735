import { heartbeat } from '../machine/heartbeat.js';

/** Most of the list of files that is sent, in bytes; 6000 modules are 1 MB. The digest covers all of it. */
const LIST_MAX_BYTES = 8 * 1024 * 1024;

/**
 * Shell script that prints the digest of everything that decides which kernel this machine boots next and who may
 * log in, and, unless that digest is `expected`, the files it is made of: digest, two spaces, path. Runs on the
 * default kernel after our own files were removed. Left out: what changes by itself (next_entry, known_hosts).
 */
export const FINGERPRINT = (expected: string): string => `
export LC_ALL=C
list=$(mktemp /run/peerlab-fingerprint.XXXXXX) || exit 1
${heartbeat('"$list"', 2)}
trap 'kill "$beat" 2>/dev/null; rm -f "$list" "$list.roots"' EXIT
digest() { sha256sum | cut -d' ' -f1; }
home=$HOME
# By sudo: the keys of the account that logs in.
[ -z "\${SUDO_USER:-}" ] || home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
programs=$(for name in sshd sudo sh sha256sum find systemctl grub-editenv tar; do command -v $name; done)
for path in /boot /boot/efi /efi "/lib/modules/$(uname -r)" \\
  $programs $(ldd $programs 2>/dev/null | grep -o '/[^ :]*' | sort -u) /sbin/init /usr/sbin/sshd /usr/lib/openssh \\
  /etc/ssh "$HOME/.ssh" "$home/.ssh" /etc/passwd /etc/shadow /etc/pam.d /etc/sudoers /etc/sudoers.d /etc/ld.so.preload /etc/ld.so.conf /etc/ld.so.conf.d \\
  /etc/fstab /etc/default/grub /etc/grub.d /etc/modprobe.d /etc/modules /etc/modules-load.d /etc/udev/rules.d \\
  /etc/systemd /usr/lib/systemd /etc/init.d /etc/rc.local /etc/crontab /etc/cron.d /etc/cron.hourly \\
  /etc/cron.daily /var/spool/cron /etc/profile /etc/profile.d "$HOME/.profile" "$HOME/.bashrc" \\
  "$home/.profile" "$home/.bashrc"; do
  [ ! -e "$path" ] || readlink -f "$path"
done | sort -u >"$list.roots"
mine="-path /boot/peerlab-* -o -path /boot/grub/grubenv -o -path /boot/grub2/grubenv -o -path */loader/random-seed -o -name known_hosts*"
set -f
while read -r root; do
  find "$root" -xdev \\( $mine \\) -prune -o -type f -print0 | xargs -0 -r sha256sum
  find "$root" -xdev \\( $mine \\) -prune -o -type l -printf 'link to %l  %p\\n'
done <"$list.roots" >"$list"
set +f
for name in grub grub2; do
  [ -f /boot/$name/grubenv ] || continue
  echo "$($name-editenv /boot/$name/grubenv list | grep -v -e '^next_entry=' -e '^peerlab_check=' | digest)  /boot/$name/grubenv" >>"$list"
done
disk=$(lsblk -ndo PKNAME "$(findmnt -nvo SOURCE --target /boot)" 2>/dev/null)
if [ -n "$disk" ]; then
  sectors=$(cat /sys/block/$disk/$disk*/start | sort -n | head -n 1)
  [ "$sectors" -le 2048 ] || sectors=2048
  echo "$(head -c $((sectors * 512)) "/dev/$disk" | digest)  boot disk before its first partition" >>"$list"
  for part in $(lsblk -rno PATH,PARTTYPE "/dev/$disk" | grep -i 21686148-6449-6e6f-744e-656564454649 | cut -d' ' -f1); do
    echo "$(digest <"$part")  BIOS boot partition" >>"$list"
  done
fi
sort -u -o "$list" "$list"
found=$(digest <"$list")
echo "$found"
[ "$found" = "${expected}" ] || head -c ${LIST_MAX_BYTES} "$list"
`;
