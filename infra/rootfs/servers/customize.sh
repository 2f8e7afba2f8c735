#!/bin/sh
# Turns a freshly unpacked Debian into a virtual server: as the other virtual machines (../customize.sh), but with
# Debian's own kernel, all of its devices probed, and its boot loader installed later by install.sh, on the disk itself.
# mmdebstrap calls it outside the chroot with the root folder as $1.
set -eu
root=$1
: "${OVERLAY_DIR:?}"
GRUB_TEMPLATE='' sh "$OVERLAY_DIR/../customize.sh" "$root"
# A server probes every device that it has, and finds its disks by itself.
rm -rf "$root/etc/systemd/system/systemd-udev-trigger.service.d" "$root/etc/tiny-initramfs"
: > "$root/etc/fstab"
for unit in systemd-modules-load.service systemd-pstore.service modprobe@dm_mod.service modprobe@efi_pstore.service \
	kmod-static-nodes.service systemd-random-seed.service; do
	rm -f "$root/etc/systemd/system/$unit"
done
# Under emulation, beside other work, udev takes minutes for them; after 90 s systemd would end in emergency mode.
cat > "$root/etc/systemd/system.conf.d/server.conf" <<'DEVICES'
[Manager]
DefaultDeviceTimeoutSec=15min
# As Debian has it: on a server the farm's reset comes from the BMC.
RuntimeWatchdogSec=off
DEVICES
cat > "$root/etc/default/grub" <<'GRUB'
GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
# no_timer_check: a kernel on an emulator with a busy host may count too few timer interrupts, and would panic.
# intel_iommu, iommu: for the server that has an IOMMU; Debian leaves it off.
GRUB_CMDLINE_LINUX="console=ttyS0,115200 panic=10 no_timer_check random.trust_cpu=on intel_iommu=on iommu=pt"
GRUB_TERMINAL=serial
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
GRUB_DISABLE_OS_PROBER=true
GRUB
