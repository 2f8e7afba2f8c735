# shellcheck shell=sh
# Makes what only a running kernel can make, see ../init.sh: LVM, and a boot loader that knows its disk. $disk has the
# partitions of `layout`: 1 EFI, 2 /boot, 3 LVM.
: "${disk:?}"
VOLUMES='activation { udev_sync=0 udev_rules=0 }'

lay_out() {
	need_modules dm_mod
	lvm pvcreate --config "$VOLUMES" -ff -y "${disk}p3"
	lvm vgcreate --config "$VOLUMES" server "${disk}p3"
	lvm lvcreate --config "$VOLUMES" -y -Wn -Zn -n root -l 100%FREE server
	dd if=/dev/vda of=/dev/mapper/server-root bs=1048576
	mount -t ext4 /dev/mapper/server-root /mnt
}

finish() {
	modprobe -a vfat nls_cp437 nls_ascii
	resize2fs /dev/mapper/server-root
	mke2fs -F -q -t ext4 -O ^metadata_csum_seed,^orphan_file "${disk}p2"
	mkfs.vfat -n ESP "${disk}p1"
	mv /boot /boot.files
	mkdir /boot
	mount -t ext4 "${disk}p2" /boot
	cp -a /boot.files/. /boot/
	rm -rf /boot.files
	mkdir -p /boot/efi
	mount -t vfat "${disk}p1" /boot/efi
	cat > /etc/fstab <<-FSTAB
		/dev/mapper/server-root / ext4 defaults,errors=remount-ro 0 0
		UUID=$(blkid -s UUID -o value "${disk}p2") /boot ext4 defaults 0 0
		UUID=$(blkid -s UUID -o value "${disk}p1") /boot/efi vfat umask=0077 0 0
	FSTAB
	grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian --no-nvram --force-extra-removable
	grub-editenv /boot/grub/grubenv create
	update-grub
	umount /boot/efi /boot
	start=$(lvm pvs --noheadings --nosuffix --units b -o pe_start "${disk}p3" 2>/dev/null | tr -d ' ')
	echo "peerlab-install: offset $(($(cat "/sys/class/block/${disk##*/}p3/start") * 512 + start))"
}
