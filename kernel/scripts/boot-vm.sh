#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boot a bundle in QEMU without a disk and run its suites: the quick way to try
# a change of the series, the modules or the tests.  The farm does the same on
# machines with a disk, a bootloader and a user land.
#
# usage: boot-vm.sh --bundle DIR [--path switch|roots] [--cpu MODEL]
#                   [--append "KERNEL ARGUMENTS"] [--timeout SECONDS]
#                   [-- SUITE [ARGUMENT]...]...
#
#   --path switch --cpu EPYC              BUS_ADDR
#   --path roots  --cpu EPYC              THRU_HOST_BRIDGE
#   --path roots  --cpu Skylake-Client-v4 NOT_SUPPORTED
#
# Each "--" begins one command of suites/ (default: p2p_functional and p2p_perf).
# The console is printed; exit status 0 when every suite said 0.
set -euo pipefail

bundle='' path=switch cpu=EPYC append='' timeout=300
commands=()
while [ $# -gt 0 ]; do
	case $1 in
	--bundle) bundle=$2; shift 2 ;;
	--path) path=$2; shift 2 ;;
	--cpu) cpu=$2; shift 2 ;;
	--append) append=$2; shift 2 ;;
	--timeout) timeout=$2; shift 2 ;;
	--) break ;;
	*) sed -n '3,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
	esac
done
while [ $# -gt 0 ]; do
	shift
	command=''
	while [ $# -gt 0 ] && [ "$1" != -- ]; do command+="$1 "; shift; done
	commands+=("$command")
done
[ ${#commands[@]} -gt 0 ] || commands=(p2p_functional p2p_perf)
[ -f "$bundle/manifest.json" ] || { echo "boot-vm: no bundle in '$bundle'" >&2; exit 2; }
for tool in qemu-system-x86_64 busybox cpio; do
	command -v $tool >/dev/null || { echo "boot-vm: $tool is missing" >&2; exit 2; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,proc,sys,dev,suites}
cp "$(command -v busybox)" "$root/bin/busybox"
tar -C "$root" -xf "$bundle/modules.tar"
cp "$bundle"/suites/* "$root/suites/"
{
	cat <<-'INIT'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin
		mount -t proc proc /proc; mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev 2>/dev/null
		echo 1 > /proc/sys/kernel/panic_on_oops
		for m in $(find /lib/modules -name 'peerlab_*.ko'); do insmod $m || echo "boot-vm: insmod $m failed"; done
		stty -F /dev/console -echo raw 2>/dev/null
		failed=0
	INIT
	for command in "${commands[@]}"; do
		echo "/suites/$command; s=\$?; echo \"boot-vm: $command exit \$s\"; [ \$s = 0 ] || failed=1"
	done
	cat <<-'INIT'
		for d in provider client; do rmmod peerlab_$d && echo "boot-vm: peerlab_$d unloaded"; done
		# "quiet" hides warnings from the console, not from us.
		if dmesg | grep -E 'WARNING|BUG|Oops|INFO:|DMAR: .*fault|Call Trace|leaked|clamping'; then failed=1; fi
		echo "boot-vm: done $failed"
		poweroff -f
	INIT
} >"$root/init"
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd"

bar=$work/bar
truncate -s 256M "$bar"
edu=edu,dma_mask=0xffffffffffffffff
case $path in
switch)
	devices=(-device pcie-root-port,id=rp0,chassis=1,slot=1
		-device x3130-upstream,id=up0,bus=rp0
		-device xio3130-downstream,id=dp0,bus=up0,chassis=2,slot=0
		-device xio3130-downstream,id=dp1,bus=up0,chassis=2,slot=1
		-device ivshmem-plain,memdev=bar,bus=dp0 -device "$edu,bus=dp1") ;;
roots)
	devices=(-device pcie-root-port,id=rp0,chassis=1,slot=1
		-device pcie-root-port,id=rp1,chassis=2,slot=2
		-device ivshmem-plain,memdev=bar,bus=rp0 -device "$edu,bus=rp1") ;;
*) echo "boot-vm: unknown path $path" >&2; exit 2 ;;
esac

# The host's answers to "@oracle read OFFSET LENGTH" go back over the console.
mkfifo "$work/in" "$work/out"
timeout "$timeout" qemu-system-x86_64 -accel tcg,thread=multi -M q35 -cpu "$cpu" -m 1G -smp 2 \
	-display none -no-reboot -nic none -serial stdio -monitor none \
	-object memory-backend-file,id=bar,mem-path="$bar",share=on,size=256M "${devices[@]}" \
	-kernel "$bundle/vmlinuz" -initrd "$work/initrd" \
	-append "console=ttyS0 panic=-1 quiet $append" <"$work/in" >"$work/out" 2>"$work/qemu.log" &
exec 5>"$work/in"
status=1
while IFS= read -r line; do
	line=${line%$'\r'}
	case $line in
	'@oracle read '*)
		read -r _ _ offset length <<<"$line"
		hex=$(od -An -v -tx1 -j "$offset" -N "$length" "$bar" | tr -d ' \n')
		printf '%s %s\n' "$length" "$hex" >&5 ;;
	*) printf '%s\n' "$line" ;;
	esac
	[ "$line" != 'boot-vm: done 0' ] || status=0
done <"$work/out"
cat "$work/qemu.log" >&2
exit $status
