# shellcheck shell=sh
# Makes what only a running kernel can make, see ../init.sh: a subvolume of btrfs, and a boot loader that knows its
# entries. $disk has the partitions of `layout`: 1 EFI, 2 XBOOTLDR, 3 the machine's identity, 4 btrfs.
: "${disk:?}"

lay_out() {
	need_modules btrfs
	mkdir -p /source
	mount -t ext4 -o ro /dev/vda /source
	for place in dev proc; do mount -o bind "/$place" "/source/$place"; done
	# dracut's initramfs has neither chroot nor sync. It stays mounted.
	PATH=$PATH:/source/usr/sbin:/source/usr/bin
	chroot /source mkfs.btrfs -q -f -L server "${disk}p4"
	mount -t btrfs "${disk}p4" /source/mnt
	chroot /source btrfs subvolume create /mnt/root
	chroot /source sh -ec 'tar --one-file-system -C / -c . | tar -C /mnt/root -x'
	umount /source/mnt
	for place in dev proc; do umount "/source/$place"; done
	mount -t btrfs -o subvol=root "${disk}p4" /mnt
}

# What the lab writes to the disk from outside lies on a small ext4: no tool writes to a btrfs that is not mounted. The
# server takes it over when it boots for the first time.
make_identity() {
	mke2fs -F -q -t ext4 -O ^has_journal,^metadata_csum_seed,^orphan_file -L identity "${disk}p3"
	mount -t ext4 "${disk}p3" /mnt
	mkdir -p /mnt/etc/ssh /mnt/root/.ssh
	chmod 0700 /mnt/root /mnt/root/.ssh
	cp -a /etc/hostname /mnt/etc/
	umount /mnt
	# mmdebstrap leaves it empty. systemd would make one of its own before the server has taken over that of the lab, and
	# cover the file with it.
	echo 00000000000000000000000000000001 > /etc/machine-id
	cat > /etc/systemd/system/identity.service <<-UNIT
		[Unit]
		Description=Take over name and keys of this machine
		ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
		Requires=dev-disk-by\\x2dpartlabel-identity.device
		After=dev-disk-by\\x2dpartlabel-identity.device
		Before=ssh.service

		[Service]
		Type=oneshot
		ExecStart=mount -o ro /dev/disk/by-partlabel/identity /mnt
		ExecStart=cp -a /mnt/etc /mnt/root /
		ExecStart=umount /mnt
		ExecStart=hostname -F /etc/hostname

		[Install]
		WantedBy=multi-user.target
	UNIT
	systemctl --quiet enable identity.service
}

finish() {
	modprobe -a vfat nls_cp437 nls_ascii
	make_identity
	mkfs.vfat -F 32 -n ESP "${disk}p1"
	mkfs.vfat -F 32 -n XBOOTLDR "${disk}p2"
	# shellcheck source=/dev/null
	. /etc/default/grub
	rm -rf /etc/default/grub /boot/grub
	mv /boot /boot.files
	mkdir /boot /efi
	mount -t vfat "${disk}p2" /boot
	mount -t vfat "${disk}p1" /efi
	cp -r /boot.files/. /boot/
	rm -rf /boot.files
	root=UUID=$(blkid -s UUID -o value "${disk}p4")
	cat > /etc/fstab <<-FSTAB
		$root / btrfs subvol=root 0 0
		UUID=$(blkid -s UUID -o value "${disk}p2") /boot vfat umask=0077 0 0
		UUID=$(blkid -s UUID -o value "${disk}p1") /efi vfat umask=0077 0 0
	FSTAB
	mkdir -p /etc/kernel
	# rd.retry: under emulation, beside other work, the disk takes minutes to appear.
	echo "root=$root rootflags=subvol=root ro $GRUB_CMDLINE_LINUX_DEFAULT $GRUB_CMDLINE_LINUX rd.retry=900" > /etc/kernel/cmdline
	# Entries are not named by the machine-id, which each machine gets later.
	bootctl --esp-path=/efi --boot-path=/boot --no-variables --entry-token=os-id --make-entry-directory=yes install
	printf 'timeout 1\neditor no\n' > /efi/loader/loader.conf
	release=$(cat /boot/peerlab-default-release)
	kernel-install add "$release" "/boot/vmlinuz-$release"
	cat /boot/loader/entries/*.conf
	umount /efi /boot
	echo "peerlab-install: offset $(($(cat "/sys/class/block/${disk##*/}p3/start") * 512))"
}
