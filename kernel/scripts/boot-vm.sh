#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boot a bundle in QEMU without a disk and run its suites: the quick way to try
# a change of the series, the modules or the tests.  The farm does the same on
# machines with a disk, a bootloader and a user land.
#
# usage: boot-vm.sh --bundle DIR [--path PATH] [--cpu MODEL] [--iommu MODE]
#                   [--bar SIZE] [--memory SIZE] [--cpus N]
#                   [--append "KERNEL ARGUMENTS"] [--timeout SECONDS]
#                   [--clock host|instructions] [--provider N]
#                   [--link ROLE:SOCKET] [-- SUITE [ARGUMENT]...]...
#
#   --path    where provider and client sit (default switch):
#             switch  both below one switch               BUS_ADDR
#             bridge  both below one PCIe-to-PCI bridge   BUS_ADDR
#             roots   each on a root port of its own      decided by the CPU's maker
#             bus0    both on the root bus                decided by the CPU's maker
#             two     two providers and the client below one switch
#             mixed   as two, but the second provider on a root port of its own
#   --provider  which of two providers is tested, 0 (default) or 1
#   --cpu     EPYC (default) may go through the host bridge: THRU_HOST_BRIDGE;
#             Skylake-Client-v4 may not: NOT_SUPPORTED
#   --iommu   none (default), translated, or pt (present but passing through).
#             QEMU's switch sends peer traffic to a translating IOMMU, which no
#             real one does: "switch" and "translated" give wrong data.
#   --bar     size of a provider's memory (default 256M); from 4G on it lies
#             above 4 GiB and wants --memory 2G for its page structures
#   --memory  of the machine (default 1G; 2G for a kernel with KASAN)
#   --cpus    of the machine (default 2)
#   --timeout for everything, in seconds (default 300)
#   --clock   host (default), or instructions: a nanosecond of the machine is then
#             one instruction, on one CPU.  What p2p_perf prints as ns/page becomes
#             instructions per page, the same in every run and on every host.
#   --link    a network of two machines through two sockets of the host, which leads
#             nowhere else; ROLE is server or client: see boot-pair.sh
#
# Each "--" begins one command of suites/ (default: p2p_functional and p2p_perf).
# The console is printed.  Exit status: 0 when every suite exited with 0 and the
# kernel log has no warning, 1 when not, 2 for wrong usage.
set -euo pipefail

die() {
	echo "boot-vm: $1" >&2
	exit 2
}
usage() {
	[ $# -eq 0 ] || echo "boot-vm: $1" >&2
	sed -n '7,40s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

bundle='' path=switch cpu=EPYC iommu=none bar=256M memory='' cpus=2 append='' timeout=300 clock=host provider=0 link=''
commands=()
while [ $# -gt 0 ]; do
	case $1 in
	--help | -h) usage ;;
	--) break ;;
	--bundle | --path | --cpu | --iommu | --bar | --memory | --cpus | --append | --timeout | --clock | --provider | --link)
		[ $# -gt 1 ] || usage "$1: the value is missing"
		declare "${1#--}=$2"
		shift 2 ;;
	*) usage "unknown argument $1" ;;
	esac
done
while [ $# -gt 0 ]; do
	shift
	command=''
	while [ $# -gt 0 ] && [ "$1" != -- ]; do command+="$1 "; shift; done
	commands+=("${command% }")
done
[ ${#commands[@]} -gt 0 ] || commands=(p2p_functional p2p_perf)

[ -n "$bundle" ] || usage "--bundle is missing"
[ -f "$bundle/manifest.json" ] || die "--bundle $bundle: there is no manifest.json"
for command in "${commands[@]}"; do
	[ -x "$bundle/suites/${command%% *}" ] ||
		die "the bundle has no suite '${command%% *}'; it has: $(cd "$bundle/suites" && echo *)"
done
[[ $bar =~ ^([1-9][0-9]*)([MG])$ ]] || die "--bar $bar: expected a size such as 256M or 8G"
[ "${BASH_REMATCH[2]}" = M ] && bar_mib=${BASH_REMATCH[1]} || bar_mib=$((BASH_REMATCH[1] * 1024))
[ $((bar_mib & (bar_mib - 1))) -eq 0 ] || die "--bar $bar: expected a power of two"
[ -n "$memory" ] || memory=$(grep -q '^CONFIG_KASAN=y' "$bundle/config" 2>/dev/null && echo 2G || echo 1G)
[[ $memory =~ ^[1-9][0-9]*[MG]$ ]] || die "--memory $memory: expected a size such as 1G or 1536M"
[[ $cpus =~ ^[1-9][0-9]*$ ]] || die "--cpus $cpus: expected a number, at least 1"
case $clock in
host) accelerator=(-accel "tcg,thread=multi") ;;
instructions) cpus=1 accelerator=(-accel "tcg,thread=single" -icount "shift=0,sleep=off") ;;
*) die "--clock $clock: expected host or instructions" ;;
esac
[[ $timeout =~ ^[1-9][0-9]*$ ]] || die "--timeout $timeout: expected a number of seconds, at least 1"
link_device=()
case $link in
'') ;;
server:*) link_number=1 link_peer=client ;;
client:*) link_number=2 link_peer=server ;;
*) usage "--link $link: expected server:SOCKET or client:SOCKET" ;;
esac
# Datagrams, so that neither machine has to be there before the other.
[ -z "$link" ] || link_device=(
	-netdev "dgram,id=link,local.type=unix,local.path=${link#*:}.${link%%:*},remote.type=unix,remote.path=${link#*:}.$link_peer"
	-device "virtio-net-pci,netdev=link,romfile=,mac=52:54:00:70:00:0$link_number")
case $iommu in
none) iommu_device=() iommu_arguments='' ;;
translated) iommu_arguments='intel_iommu=on' ;;
pt) iommu_arguments='intel_iommu=on iommu=pt' ;;
*) usage "--iommu $iommu: expected none, translated or pt" ;;
esac
# Interrupts are not remapped: that needs machine options that are not set here.
[ "$iommu" = none ] || iommu_device=(-device "intel-iommu,intremap=off")

root_port() { echo "pcie-root-port,id=$1,chassis=$2,slot=$2"; }
downstream() { echo "xio3130-downstream,id=$1,bus=up0,chassis=8,slot=$2"; }
switch=("$(root_port rp0 1)" "x3130-upstream,id=up0,bus=rp0")
case $path in
switch) bridges=("${switch[@]}" "$(downstream p0 0)" "$(downstream c 1)") providers=(p0) client=c ;;
roots) bridges=("$(root_port p0 1)" "$(root_port c 2)") providers=(p0) client=c ;;
bridge) bridges=("pcie-pci-bridge,id=pb0") providers=("pb0,addr=1") client=pb0,addr=2 ;;
bus0) bridges=() providers=("pcie.0,addr=0x10") client=pcie.0,addr=0x11 ;;
two) bridges=("${switch[@]}" "$(downstream p0 0)" "$(downstream p1 1)" "$(downstream c 2)")
	providers=(p0 p1) client=c ;;
mixed) bridges=("${switch[@]}" "$(downstream p0 0)" "$(downstream c 1)" "$(root_port p1 3)")
	providers=(p0 p1) client=c ;;
*) usage "--path $path: expected switch, bridge, roots, bus0, two or mixed" ;;
esac
[[ $provider =~ ^[0-9]$ && $provider -lt ${#providers[@]} ]] ||
	die "--provider $provider: --path $path has ${#providers[@]}, counted from 0"
for pair in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio; do
	command -v "${pair%:*}" >/dev/null || die "${pair%:*} is missing: apt-get install ${pair#*:}"
done

work=$(mktemp -d)
qemu=''
# shellcheck disable=SC2329,SC2317 # called by the trap
clean_up() {
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

root=$work/root
mkdir -p "$root"/{bin,proc,sys,dev,tmp,suites}
cp "$(command -v busybox)" "$root/bin/busybox"
tar -C "$root" -xf "$bundle/modules.tar"
# copy_libraries FILE... -- what a dynamic program loads, from this machine.
copy_libraries() {
	local library
	while read -r library; do
		mkdir -p "$root/$(dirname "$library")"
		cp -L "$library" "$root/$library"
	done < <(ldd "$@" 2>/dev/null | grep -o '/[^ :]*\.so[^ :]*' | sort -u)
}
for command in "${commands[@]}"; do
	suite=$bundle/suites/${command%% *}
	cp "$suite" "$root/suites/"
	copy_libraries "$suite"
	case ${suite##*/} in
	p2p_rdma | p2p_rdma_pair) ;;
	perftest_pair)
		cp "$bundle/suites/p2p_rdma_pair" "$root/suites/"
		for program in ib_{write,read,send}_{bw,lat}; do
			found=$(command -v "$program") || die "$program is missing: apt-get install perftest"
			cp "$found" "$root/bin/"
			copy_libraries "$found"
		done ;;
	*) continue ;;
	esac
	# It opens libibverbs itself, which opens the driver of rxe.
	verbs=$(find /usr/lib -name 'libibverbs.so.1' -o -name 'librxe-rdmav*.so')
	[ -n "$verbs" ] || die "libibverbs is missing: apt-get install libibverbs1 ibverbs-providers"
	for library in $verbs; do
		mkdir -p "$root/$(dirname "$library")"
		cp -L "$library" "$root/$library"
		copy_libraries "$library"
	done
	mkdir -p "$root/etc/libibverbs.d"
	cp /etc/libibverbs.d/rxe.driver "$root/etc/libibverbs.d/"
done
{
	cat <<-'INIT'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin
		mount -t proc proc /proc; mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev 2>/dev/null
		mount -t tmpfs tmp /tmp
		mkdir -p /dev/shm; mount -t tmpfs shm /dev/shm
		mount -t debugfs debug /sys/kernel/debug
		ln -s /proc/self/fd /dev/fd
		ifconfig lo 127.0.0.1 up
		ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up 2>/dev/null
		echo 1 > /proc/sys/kernel/panic_on_oops
		# devices_of IDS -- the PCI addresses of the functions with them, a line each.
		devices_of() {
			for d in /sys/bus/pci/devices/*; do
				[ "$(cat $d/vendor):$(cat $d/device)" != "$1" ] || echo "${d##*/}"
			done
		}
		stty -F /dev/console -echo raw 2>/dev/null
		failed=0
	INIT
	if [ -n "$link" ]; then
		echo "export PEERLAB_ROLE=${link%%:*} PEERLAB_LINK_ADDRESS=10.77.0.$link_number/24"
		echo "export PEERLAB_PEER_ADDRESS=10.77.0.$((3 - link_number))"
		cat <<-INIT
			for i in /sys/class/net/*; do
				[ "\$(cat \$i/address)" != 52:54:00:70:00:0$link_number ] || export PEERLAB_LINK=\${i##*/}
			done
		INIT
		# What the caller wants perftest_pair to do.
		for name in PERFTEST_PROGRAMS PERFTEST_SIZES PERFTEST_ITERATIONS PERFTEST_SECONDS; do
			[ -z "${!name-}" ] || printf 'export %s=%q\n' "$name" "${!name}"
		done
	fi
	# The one that is tested is number 0.
	cat <<-INIT
		export P2P_PROVIDER=\$(devices_of 0x1af4:0x1110 | sed -n $((provider + 1))p)
		export P2P_CLIENT=\$(devices_of 0x1234:0x11e8)
		others=\$(devices_of 0x1af4:0x1110 | sed $((provider + 1))d | sed 's/^/,/' | tr -d '\n')
		insmod \$(find /lib/modules -name peerlab_provider.ko) devices=\$P2P_PROVIDER\$others || echo "boot-vm: insmod peerlab_provider failed"
		insmod \$(find /lib/modules -name peerlab_client.ko) devices=\$P2P_CLIENT || echo "boot-vm: insmod peerlab_client failed"
	INIT
	for command in "${commands[@]}"; do
		echo "/suites/$command; s=\$?; echo \"boot-vm: $command exit \$s\"; [ \$s = 0 ] || failed=1"
	done
	cat <<-'INIT'
		for d in provider client; do rmmod peerlab_$d && echo "boot-vm: peerlab_$d unloaded"; done
		# kmemleak ignores new objects: wait until all are old enough.
		leaks=/sys/kernel/debug/kmemleak
		if [ -e $leaks ]; then
			sleep 6; echo scan > $leaks; sleep 6; echo scan > $leaks
			[ -z "$(head -c 1 $leaks)" ] || { echo "boot-vm: kmemleak:"; head -60 $leaks; failed=1; }
		fi
		# "quiet" hides warnings on the console, so dmesg is read.
		# A page fault without memory: the suites look for that, and one of them wants it.
		if dmesg | grep -v 'VM_FAULT_OOM leaked out' |
			grep -E 'WARNING|BUG:|Oops|INFO:|DMAR: .*fault|Call Trace|leaked|clamping'; then failed=1; fi
		echo "boot-vm: done $failed"
		poweroff -f
	INIT
} >"$root/init"
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd"

devices=()
for i in "${!providers[@]}"; do
	truncate -s "$bar" "$work/bar$i"
	devices+=(-object "memory-backend-file,id=bar$i,mem-path=$work/bar$i,share=on,size=$bar")
done
for bridge in ${bridges[@]+"${bridges[@]}"}; do devices+=(-device "$bridge"); done
for i in "${!providers[@]}"; do devices+=(-device "ivshmem-plain,memdev=bar$i,bus=${providers[i]}"); done
# Without the mask edu silently clamps addresses and writes into low memory.
devices+=(-device "edu,dma_mask=0xffffffffffffffff,bus=$client")

# The host's answers to "@oracle read OFFSET LENGTH" go back over the console.
mkfifo "$work/in" "$work/out"
timeout "$timeout" nice -n 5 qemu-system-x86_64 "${accelerator[@]}" -M q35 -cpu "$cpu" \
	-m "$memory" -smp "$cpus" -display none -no-reboot -serial stdio -monitor none \
	${iommu_device[@]+"${iommu_device[@]}"} -nic none \
	-netdev user,id=net,restrict=on -device virtio-net-pci,netdev=net,romfile= \
	${link_device[@]+"${link_device[@]}"} "${devices[@]}" -kernel "$bundle/vmlinuz" -initrd "$work/initrd" \
	-append "console=ttyS0 panic=-1 quiet no_timer_check $iommu_arguments $append" <"$work/in" >"$work/out" 2>"$work/qemu.log" &
qemu=$!
exec 5>"$work/in"
# In the loop standard input is the console.
exec 6<&0
status=1 finished=''
while IFS= read -r line; do
	line=${line%$'\r'}
	case $line in
	'@oracle read '*)
		read -r _ _ offset length <<<"$line"
		hex=$(od -An -v -tx1 -j "$offset" -N "$length" "$work/bar$provider" | tr -d ' \n')
		printf '%s %s\n' "$length" "$hex" >&5 ;;
	# Whoever boots two machines answers; alone there is no other side.
	'@meet '*)
		printf '%s\n' "$line"
		answer='error there is no other side'
		[ -z "$link" ] || IFS= read -r answer <&6 || answer='error nobody answers'
		printf '%s\n' "$answer" >&5 ;;
	*) printf '%s\n' "$line" ;;
	esac
	case $line in
	'boot-vm: done 0') finished=1 status=0 ;;
	'boot-vm: done '*) finished=1 ;;
	# A suite may leave something behind that crashes the kernel at shutdown.
	*'Kernel panic - not syncing'*) [ -z "$finished" ] || echo "boot-vm: the kernel died while it shut down"
		status=1 ;;
	esac
done <"$work/out"
ended=0
wait "$qemu" || ended=$?
qemu=''
# QEMU warns of CPU features that it does not emulate.
grep -v "TCG doesn't support requested feature" "$work/qemu.log" >&2 || true
if [ -z "$finished" ]; then
	[ $ended -ne 124 ] || echo "boot-vm: timeout after $timeout s; the machine was stopped" >&2
	[ $ended -eq 124 ] || echo "boot-vm: the machine stopped before its suites ended" >&2
fi
# QEMU reports transfers that it cut short; the guest cannot see them.
! grep -q clamping "$work/qemu.log" || status=1
exit $status
