#!/bin/sh
# First process of a virtual server that is being installed: the server's own kernel and initramfs run it. The install.sh
# of the server lies beside it as /peerlab-server.sh and has two functions: `lay_out` makes the root file system out of
# /dev/vda and mounts it at /mnt, with the few tools of an initramfs (no grep, no cp); `finish` runs inside of it, with
# all that the server has. Says "peerlab-install: done" on the console, or why not.
export PATH=/sbin:/usr/sbin:/bin:/usr/bin LC_ALL=C
mkdir -p /proc /sys /dev /mnt /run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
exec </dev/console >/dev/console 2>&1

end() {
	echo "peerlab-install: $1"
	sync
	echo o > /proc/sysrq-trigger
	sleep 60
}
# 0 and not EXIT: the shell of an initramfs knows only numbers.
trap 'end "failed, exit $?"' 0
set -e
# need_modules NAME...: loads them.
need_modules() { for name; do modprobe "$name"; done; }

disk=/dev/nvme0n1
need_modules nvme virtio_pci virtio_blk ext4
tries=0
while [ ! -b "${disk}p1" ] || [ ! -b /dev/vda ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 600 ] || { echo "the disks did not appear"; exit 1; }
	sleep 0.1
done
. /peerlab-server.sh
lay_out
cat /peerlab-server.sh > /run/install.sh
for place in dev proc sys run; do mount -o bind "/$place" "/mnt/$place"; done
disk=$disk chroot /mnt sh -ec '. /run/install.sh; finish'
# What is written to the disk later, from outside, must not meet a journal that is replayed over it.
for place in dev proc sys run; do umount "/mnt/$place"; done
umount /mnt
trap - 0
end "done"
