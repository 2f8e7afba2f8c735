#!/bin/sh
# Turns a freshly unpacked Debian into a machine under test. mmdebstrap calls it outside the
# chroot with the root folder as $1; OVERLAY_DIR names the folder with our files, GRUB_TEMPLATE the boot menu. Without
# a menu the boot loader is left to the caller.
set -eu
root=$1
: "${OVERLAY_DIR:?}"

(cd "$OVERLAY_DIR" && find . -type f) | while read -r path; do
	mkdir -p "$root/${path%/*}"
	cp "$OVERLAY_DIR/$path" "$root/$path"
	chmod 0644 "$root/$path"
done

echo peerlab > "$root/etc/hostname"
printf '127.0.0.1 localhost\n' > "$root/etc/hosts"
# The lab puts in one of each per machine. An empty machine-id would make every first boot run
# systemd's first-boot presets.
rm -f "$root"/etc/ssh/ssh_host_*
echo 00000000000000000000000000000001 > "$root/etc/machine-id"
mkdir -p "$root/root/.ssh" "$root/boot/grub"
chmod 0700 "$root/root/.ssh"

systemctl_() { chroot "$root" systemctl --quiet "$@"; }
systemctl_ enable systemd-networkd.service ssh.service serial-getty@ttyS0.service
systemctl_ set-default multi-user.target
# Nothing of this serves a test, and all of it costs boot time or wakes up in the middle of a
# measurement.
for unit in \
	apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service \
	dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service \
	systemd-tmpfiles-clean.timer getty@tty1.service getty-static.service \
	systemd-resolved.service systemd-timesyncd.service systemd-networkd-wait-online.service \
	systemd-network-generator.service systemd-random-seed.service \
	systemd-update-utmp.service systemd-update-utmp-runlevel.service \
	systemd-journal-flush.service systemd-journal-catalog-update.service \
	systemd-rfkill.service systemd-rfkill.socket systemd-pstore.service \
	systemd-binfmt.service proc-sys-fs-binfmt_misc.automount systemd-boot-system-token.service \
	systemd-hwdb-update.service ldconfig.service systemd-update-done.service \
	systemd-firstboot.service systemd-sysusers.service systemd-machine-id-commit.service \
	systemd-repart.service systemd-sysext.service systemd-quotacheck.service \
	systemd-pcrphase.service systemd-pcrphase-sysinit.service systemd-modules-load.service \
	systemd-logind.service systemd-user-sessions.service systemd-initctl.socket \
	systemd-ask-password-console.path systemd-ask-password-wall.path \
	kmod-static-nodes.service modprobe@configfs.service modprobe@dm_mod.service \
	modprobe@drm.service modprobe@efi_pstore.service modprobe@fuse.service modprobe@loop.service \
	sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-tracing.mount \
	dev-mqueue.mount dev-hugepages.mount; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
mkdir -p "$root/etc/systemd/system-generators"
for name in cryptsetup debug gpt-auto hibernate-resume integritysetup rc-local run system-update \
	sysv veritysetup; do
	ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-$name-generator"
done

# No password fits: the console only reports, log in is by key. A *locked* account ("!") would be
# refused by sshd even with the right key.
chroot "$root" usermod --password '*' root

# shellcheck disable=SC2012 # names are Debian's, and sort -V needs lines
kernel=$(cd "$root/boot" && ls vmlinuz-* | sort -V | tail -n 1)
release=${kernel#vmlinuz-}
echo "$release" > "$root/boot/peerlab-default-release"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*.log
[ -n "${GRUB_TEMPLATE:-}" ] || exit 0
sed -e "s|@KERNEL@|/boot/vmlinuz-$release|" -e "s|@INITRD@|/boot/initrd.img-$release|" \
	"$GRUB_TEMPLATE" > "$root/boot/grub/grub.cfg"
chroot "$root" grub-editenv /boot/grub/grubenv create
# GRUB's modules are linked into the core image; the tools that stay are grub-reboot and grub-editenv.
rm -rf "$root"/usr/lib/grub/i386-pc
