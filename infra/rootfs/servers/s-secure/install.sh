# shellcheck shell=sh
# Makes what only a running kernel can make, see ../init.sh: a boot loader that knows its disk. $disk has the partitions
# of `layout`: 1 EFI, 2 root.
: "${disk:?}"

lay_out() {
	dd if=/dev/vda of="${disk}p2" bs=1048576
	mount -t ext4 "${disk}p2" /mnt
}

finish() {
	modprobe -a vfat nls_cp437 nls_ascii
	resize2fs "${disk}p2"
	mkfs.vfat -n ESP "${disk}p1"
	mkdir -p /boot/efi
	mount -t vfat "${disk}p1" /boot/efi
	cat > /etc/fstab <<-FSTAB
		UUID=$(blkid -s UUID -o value "${disk}p2") / ext4 defaults,errors=remount-ro 0 0
		UUID=$(blkid -s UUID -o value "${disk}p1") /boot/efi vfat umask=0077 0 0
	FSTAB
	# shim, and the GRUB that Debian signed, at the place that firmware without a boot entry looks at.
	grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian --no-nvram --force-extra-removable \
		--uefi-secure-boot
	[ -f /boot/efi/EFI/debian/shimx64.efi ] || { echo "grub-install did not install shim"; exit 1; }
	grub-editenv /boot/grub/grubenv create
	update-grub
	umount /boot/efi
	echo "peerlab-install: offset $(($(cat "/sys/class/block/${disk##*/}p2/start") * 512))"
}
