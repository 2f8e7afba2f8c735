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

# json_text TEXT: TEXT as the inside of a JSON string, on one line.
json_text() {
	printf '%s' "$1" | tr '\n\t' '  ' | tr -d '\000-\037' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g'
}

fail() {
	printf '@error {"class":"infrastructure","detail":"%s","remedy":"%s"}\n' "$(json_text "$1")" "$(json_text "$2")"
	exit 12
}

progress() { printf '@progress %s %s\n' "$1" "$2"; }

# debian_mirrors: the base URI of every Debian archive that this system's own apt sources name,
# "main" or "security" in front. Reads both the one-line and the deb822 format.
debian_mirrors() {
	etc=${PEERLAB_APT_DIR:-/etc/apt}
	for file in "$etc"/sources.list "$etc"/sources.list.d/*.list; do
		[ -f "$file" ] || continue
		sed -n -e 's/\[[^]]*\]//' -e 's/#.*//' -e 's/^ *deb  *//p' "$file"
	done | awk '{ print $1, $2, $3 }'
	for file in "$etc"/sources.list.d/*.sources; do
		[ -f "$file" ] || continue
		awk 'function flush() { if (types ~ /(^| )deb( |$)/ && enabled != "no") { n = split(uris, u, " "); m = split(suites, s, " ");
				for (i = 1; i <= n; i++) for (j = 1; j <= m; j++) print u[i], s[j], components }
				types = uris = suites = components = enabled = "" }
			/^#/ { next } /^[ \t]*$/ { flush(); next }
			{ name = tolower($1); value = $0; sub(/^[^:]*:[ \t]*/, "", value) }
			name == "types:" { types = value } name == "uris:" { uris = value } name == "suites:" { suites = value }
			name == "components:" { components = value } name == "enabled:" { enabled = tolower(value) }
			END { flush() }' "$file"
	done
}

# The Debian release names keep other vendors' archives out; any release's mirror carries ours too.
pick_mirror() {
	debian_mirrors | awk -v want="$1" '
		{ sub(/\/$/, "", $2); security = ($2 ~ /security/ || $2 ~ /\/updates$/); plain = ($2 ~ /^(bullseye|bookworm|trixie|forky|sid|testing|stable|unstable|oldstable)([-\/].*)?$/) }
		plain && $3 ~ /^main/ && (security == (want == "security")) { print $1; exit }'
}

digest() {
	{
		printf 'suite %s disk %s\n' "$suite" "$disk_mib"
		cd "$here"
		find build.sh customize.sh grub.cfg packages.txt overlay -type f | LC_ALL=C sort | while read -r file; do
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

mkdir -p "$cache/images" 2>/dev/null || fail "cannot create $cache/images" "choose another cache folder with PEERLAB_CACHE"
cache=$(CDPATH='' cd -- "$cache" && pwd)
image=$cache/images/$key
if [ -f "$image/manifest.json" ]; then
	progress 100 "disk image is cached"
	echo "@image $image"
	exit 0
fi

for tool in mmdebstrap:mmdebstrap mke2fs:e2fsprogs sfdisk:fdisk grub-mkimage:grub-common flock:util-linux tar:tar; do
	PATH=$PATH:/usr/sbin:/sbin command -v "${tool%%:*}" >/dev/null || fail "${tool%%:*} is not installed" "apt-get install ${tool##*:}"
done
PATH=$PATH:/usr/sbin:/sbin
[ -f /usr/lib/grub/i386-pc/boot.img ] || fail "GRUB's BIOS files are not installed" "apt-get install grub-pc-bin"
mirror=$(pick_mirror main)
security=$(pick_mirror security)
[ -n "$mirror" ] || fail "no Debian archive found in this system's apt sources" "add one below /etc/apt/sources.list.d"
free_mib=$(df -Pm "$cache" | awk 'NR == 2 { print $4 }')
[ "$free_mib" -ge 3000 ] || fail "$cache has $free_mib MiB free, the image needs 3000" "free space or move the cache with PEERLAB_CACHE"

exec 9>"$cache/images/.lock"
flock -n 9 || { progress 0 "waiting for another image build"; flock 9; }
if [ -f "$image/manifest.json" ]; then
	echo "@image $image"
	exit 0
fi

# Everything half-made lies in one folder that the next build may remove.
work=$cache/images/.work
rm -rf "$work" 2>/dev/null || unshare --map-auto --map-root-user rm -rf "$work" || fail "cannot remove $work" "remove it by hand"
mkdir -p "$work"
# mmdebstrap's package step runs as another user when we are not root.
chmod 0755 "$work"

if [ "$(id -u)" = 0 ]; then
	as_owner() { "$@"; }
	mode=root
else
	as_owner() { unshare --map-auto --map-root-user "$@"; }
	mode=unshare
	as_owner true 2>/dev/null || fail "user namespaces with subordinate ids do not work for $(id -un)" "apt-get install uidmap and give $(id -un) a line in /etc/subuid and /etc/subgid, or run as root"
fi

started=$(date +%s)
progress 2 "unpacking Debian $suite (about a minute)"
packages=$(sed -e 's/#.*//' -e '/^ *$/d' "$here/packages.txt" | tr '\n' ',')
{
	echo "deb $mirror $suite main"
	echo "deb $mirror $suite-updates main"
	[ -z "$security" ] || echo "deb $security $suite-security main"
} > "$work/sources.list"
export OVERLAY_DIR="$here/overlay" GRUB_TEMPLATE="$here/grub.cfg" SOURCE_DATE_EPOCH=1700000000
# The initrd is made while the kernel is being installed, so its settings have to be there before.
# shellcheck disable=SC2016 # the hooks are expanded by mmdebstrap's shell
{
	mmdebstrap --mode=$mode --variant=minbase --format=tar \
		--include="${packages%,}" \
		--aptopt='Acquire::Retries "3"' --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
		--dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='force-unsafe-io' \
		--essential-hook='mkdir -p "$1/etc/tiny-initramfs" && cp "$OVERLAY_DIR/etc/tiny-initramfs/tiny-initramfs.conf" "$1/etc/tiny-initramfs/"' \
		--customize-hook="sh $here/customize.sh \"\$1\"" \
		"$suite" "$work/root.tar" "$work/sources.list" 2>&1 9>&-
	echo "exit $?"
} | {
	status=1
	while IFS= read -r line; do
		printf '%s\n' "$line" >&2
		# The share of the time, as measured, that is over when a step begins.
		case $line in
		"I: running apt-get update"*) progress 4 "reading Debian's package lists" ;;
		"I: downloading packages"*) progress 10 "downloading Debian $suite" ;;
		"I: extracting archives"*) progress 18 "unpacking the base system" ;;
		"I: installing essential"*) progress 25 "installing the base system" ;;
		"I: installing remaining"*) progress 40 "installing kernel, OpenSSH and GRUB tools" ;;
		"I: running --customize-hook"*) progress 75 "configuring the machine" ;;
		"I: creating tarball"*) progress 80 "packing the root folder" ;;
		"exit "*) status=${line#exit } ;;
		esac
	done
	exit "$status"
} || fail "mmdebstrap failed: see the log" "check that the mirror $mirror can be reached, then start again"

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
