#!/bin/sh
# Builds the disk image that every virtual machine of the lab starts from: Debian's minimal system,
# its stock cloud kernel as the known-good default, GRUB, OpenSSH; a real partition table and ext4.
#
#   infra/rootfs/build.sh --cache DIR [--key]
#
# Result: DIR/images/<key>/disk.raw (sparse) and manifest.json. <key> is the digest of everything
# that decides the content, so an image that is there is never built twice. Works as root, and as a
# user who has subordinate ids (package uidmap).
# stdout: "@progress <0-100> <text>" lines, last "@image <folder>"; on failure one line
# "@error {json}" and exit 12. stderr: the log.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
suite=bookworm
disk_mib=3072
partition_offset_bytes=1048576
cache=
key_only=
# shellcheck source=debian.sh
. "$here/debian.sh"

usage() {
	echo "usage: build.sh --cache DIR [--key]" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--cache) [ $# -ge 2 ] || usage; cache=$2; shift 2 ;;
	--key) key_only=yes; shift ;;
	*) usage ;;
	esac
done

digest() {
	{
		printf 'suite %s disk %s\n' "$suite" "$disk_mib"
		cd "$here"
		find build.sh debian.sh customize.sh grub.cfg packages.txt overlay -type f | LC_ALL=C sort | while read -r file; do
			sha256sum "$file"
		done
	} | sha256sum | cut -c1-64
}

key=$(digest)
if [ -n "$key_only" ]; then
	echo "$key"
	exit 0
fi
[ -n "$cache" ] || usage
exit_if_cached "$cache" "$key"
need_tools mmdebstrap:mmdebstrap mke2fs:e2fsprogs sfdisk:fdisk grub-mkimage:grub-common flock:util-linux tar:tar
PATH=$PATH:/usr/sbin:/sbin
[ -f /usr/lib/grub/i386-pc/boot.img ] || fail "GRUB's BIOS files are not installed" "apt-get install grub-pc-bin"
begin_image

export OVERLAY_DIR="$here/overlay" GRUB_TEMPLATE="$here/grub.cfg" SOURCE_DATE_EPOCH=1700000000
# The initrd is made while the kernel is being installed, so its settings have to be there before.
# shellcheck disable=SC2016 # the hooks are expanded by mmdebstrap's shell
unpack_debian "$suite" "$here/packages.txt" \
	--dpkgopt='path-include=/usr/share/doc/rdma-core/tests/*' \
	--essential-hook='mkdir -p "$1/etc/tiny-initramfs" && cp "$OVERLAY_DIR/etc/tiny-initramfs/tiny-initramfs.conf" "$1/etc/tiny-initramfs/"' \
	--customize-hook="sh $here/customize.sh \"\$1\""

progress 85 "writing the disk"
cat > "$work/disk.sh" <<'DISK'
set -eu
mkdir "$1/root"
# Device nodes cannot be made without being root, and devtmpfs brings its own.
tar -C "$1/root" -xf "$1/root.tar" --exclude='./dev/*' --numeric-owner --xattrs --xattrs-include='*'
mke2fs -q -t ext4 -L peerlab -O ^metadata_csum_seed,^orphan_file -m 1 -d "$1/root" \
	-E "offset=$3,lazy_itable_init=1,lazy_journal_init=1" -F "$1/disk.raw" "$2"
rm -rf "$1/root"
DISK
truncate -s "${disk_mib}M" "$work/disk.raw"
printf 'label: dos\nlabel-id: 0x7065654c\nstart=%s, type=83, bootable\n' $((partition_offset_bytes / 512)) | sfdisk -q "$work/disk.raw" >&2
as_owner sh "$work/disk.sh" "$work" $(((disk_mib - 1) * 1024))k $partition_offset_bytes >&2 || fail "cannot write the file system" "see the log; is the disk full?"
release=$(PATH=$PATH debugfs -R 'cat /boot/peerlab-default-release' "$work/disk.raw?offset=$partition_offset_bytes" 2>/dev/null)
[ -n "$release" ] || fail "the image has no kernel" "see the log"

progress 95 "installing the boot loader"
grub-mkimage -O i386-pc -o "$work/core.img" -p '(hd0,msdos1)/boot/grub' \
	biosdisk part_msdos ext2 normal configfile linux loadenv test true echo serial terminal reboot halt \
	ls cat search search_fs_uuid search_label sleep gzio minicmd >&2
# The first 440 bytes are code; behind them lies the partition table.
dd if=/usr/lib/grub/i386-pc/boot.img of="$work/disk.raw" bs=440 count=1 conv=notrunc status=none
dd if="$work/core.img" of="$work/disk.raw" bs=512 seek=1 conv=notrunc status=none

rm -rf "$work/root.tar" "$work/core.img" "$work/sources.list" "$work/disk.sh"
used_bytes=$(($(du -k "$work/disk.raw" | cut -f1) * 1024))
printf '{"schema":1,"key":"%s","suite":"%s","release":"%s","partitionOffsetBytes":%s,"sizeBytes":%s,"usedBytes":%s,"buildSeconds":%s}\n' \
	"$key" "$suite" "$release" "$partition_offset_bytes" "$((disk_mib * 1048576))" "$used_bytes" "$(($(date +%s) - started))" > "$work/manifest.json"
rm -rf "$image"
mv "$work" "$image"
progress 100 "disk image ready in $(($(date +%s) - started)) s"
echo "@image $image"
