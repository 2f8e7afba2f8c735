#!/bin/sh
# Builds the disk image of one virtual server: Debian with its own kernel, on a disk that is partitioned and made
# bootable as its install.sh says, inside an emulated machine (LVM and boot loaders want a running kernel).
#
#   infra/rootfs/servers/build.sh --server NAME --cache DIR [--key]
#
# Result, stdout and exit codes as of ../build.sh.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
rootfs=$(dirname "$here")
suite=bookworm
disk_mib=3072
root_mib=1200
# An emulated machine beside kernel builds; two minutes on an idle computer.
install_seconds=1800
cache='' server='' key_only=''
# shellcheck source=../debian.sh
. "$rootfs/debian.sh"

usage() {
	echo "usage: servers/build.sh --server NAME --cache DIR [--key]" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--server) [ $# -ge 2 ] || usage; server=$2; shift 2 ;;
	--cache) [ $# -ge 2 ] || usage; cache=$2; shift 2 ;;
	--key) key_only=yes; shift ;;
	*) usage ;;
	esac
done
[ -n "$server" ] && [ -f "$here/$server/install.sh" ] || usage

key=$(
	{
		printf 'server %s suite %s disk %s root %s\n' "$server" "$suite" "$disk_mib" "$root_mib"
		cd "$rootfs"
		find debian.sh customize.sh overlay servers/*.sh servers/packages.txt "servers/$server" -type f | LC_ALL=C sort | while read -r file; do
			sha256sum "$file"
		done
	} | sha256sum | cut -c1-64
)
if [ -n "$key_only" ]; then
	echo "$key"
	exit 0
fi
[ -n "$cache" ] || usage
exit_if_cached "$cache" "$key"
need_tools mmdebstrap:mmdebstrap mke2fs:e2fsprogs sfdisk:fdisk flock:util-linux tar:tar cpio:cpio qemu-system-x86_64:qemu-system-x86
PATH=$PATH:/usr/sbin:/sbin
begin_image

export OVERLAY_DIR="$rootfs/overlay" SOURCE_DATE_EPOCH=1700000000
cat "$here/packages.txt" "$here/$server/packages.txt" > "$work/packages.txt"
# Modules of devices that no machine of the lab has make half of the kernel's package.
unpack_debian "$suite" "$work/packages.txt" \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/sound/*' \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/gpu/*' \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/media/*' \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/staging/*' \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/net/wireless/*' \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/net/ethernet/[!i]*' \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/net/usb/*' \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/scsi/*/*' \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/iio/*' \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/hid/*' \
	--dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/isdn/*' \
	--customize-hook="sh $here/customize.sh \"\$1\""

progress 81 "writing the disk"
cat > "$work/disk.sh" <<'DISK'
set -eu
mkdir "$1/root"
# Device nodes cannot be made without being root, and devtmpfs brings its own.
tar -C "$1/root" -xf "$1/root.tar" --exclude='./dev/*' --numeric-owner --xattrs --xattrs-include='*'
cp "$1"/root/boot/vmlinuz-* "$1/vmlinuz"
cp "$1"/root/boot/initrd.img-* "$1/initrd"
cp "$1/root/boot/peerlab-default-release" "$1/release"
mke2fs -q -t ext4 -L peerlab -O ^metadata_csum_seed,^orphan_file -m 1 -d "$1/root" \
	-E "lazy_itable_init=1,lazy_journal_init=1" -F "$1/root.img" "$2"
rm -rf "$1/root"
DISK
as_owner sh "$work/disk.sh" "$work" "${root_mib}M" >&2 || fail "cannot write the file system" "see the log; is the disk full?"
truncate -s "${disk_mib}M" "$work/disk.raw"
sfdisk -q "$work/disk.raw" < "$here/$server/layout" >&2
# The kernel takes several archives one after the other; each begins at a multiple of four bytes.
mkdir "$work/installer"
cp "$here/init.sh" "$work/installer/peerlab-install"
chmod 0755 "$work/installer/peerlab-install"
cp "$here/$server/install.sh" "$work/installer/peerlab-server.sh"
truncate -s "$((($(stat -c %s "$work/initrd") + 3) / 4 * 4))" "$work/initrd"
(cd "$work/installer" && find . | cpio -o -H newc --quiet) >> "$work/initrd"

progress 85 "installing the server on its disk, in an emulated machine"
timeout "$install_seconds" qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
	-accel tcg,thread=multi -machine q35 -cpu EPYC,-svm -smp 1 -m 1024M \
	-kernel "$work/vmlinuz" -initrd "$work/initrd" \
	-append "rdinit=/peerlab-install console=ttyS0,115200 panic=-1 no_timer_check" \
	-drive "if=none,id=disk,format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap,file=$work/disk.raw" \
	-device nvme,drive=disk,serial=peerlab \
	-drive "if=none,id=root,format=raw,readonly=on,file=$work/root.img" -device virtio-blk-pci,drive=root \
	-serial "file:$work/install.log" </dev/null >&2 9>&- || true
cat "$work/install.log" >&2
grep -q '^peerlab-install: done' "$work/install.log" ||
	fail "the server was not installed: $(tr -d '\r' < "$work/install.log" | grep -v '^\[' | tail -n 2 | tr '\n' ' ')" "see the log"
offset=$(tr -d '\r' < "$work/install.log" | sed -n 's/^peerlab-install: offset //p')
release=$(cat "$work/release")
! debugfs -R features "$work/disk.raw?offset=$offset" 2>/dev/null | grep -q needs_recovery ||
	fail "the root file system of the installed disk was not unmounted" "see the log"
[ "$(debugfs -R 'cat /etc/hostname' "$work/disk.raw?offset=$offset" 2>/dev/null)" = peerlab ] ||
	fail "the installed disk has no root file system at byte $offset" "see the log"

rm -rf "$work/root.tar" "$work/root.img" "$work/initrd" "$work/vmlinuz" "$work/installer" "$work/sources.list" \
	"$work/disk.sh" "$work/packages.txt" "$work/release"
used_bytes=$(($(du -k "$work/disk.raw" | cut -f1) * 1024))
printf '{"schema":1,"key":"%s","suite":"%s","release":"%s","partitionOffsetBytes":%s,"sizeBytes":%s,"usedBytes":%s,"buildSeconds":%s}\n' \
	"$key" "$suite" "$release" "$offset" "$((disk_mib * 1048576))" "$used_bytes" "$(($(date +%s) - started))" > "$work/manifest.json"
rm -rf "$image"
mv "$work" "$image"
progress 100 "disk image ready in $(($(date +%s) - started)) s"
echo "@image $image"
