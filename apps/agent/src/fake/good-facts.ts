/** What a server prints that lacks nothing; for tests. */
export const GOOD_FACTS = `@account
0
root
@time
1700000000
@space
Filesystem 1024-blocks Used Available Capacity Mounted on
/dev/vda1 30000000 900000 20000000 5% /
/dev/vda2 1000000 100000 900000 10% /boot
@mounts
/boot ext4 rw,relatime
/lib/modules ext4 rw,relatime
/var/lib ext4 rw,relatime
@root
/dev/vda1 ext4
@tools
initramfs update-initramfs
@upgrades
unattended-upgrades.service disabled
@kdump
loaded 0
@watchdog
watchdog0|inactive|iTCO_wdt
systemd|0
@modules
@consoles
ttyS0                -W- (EC p a)    4:64
@fence
`;
