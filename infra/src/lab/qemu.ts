/** The emulator's program, of the Debian package qemu-system-x86. */
export const QEMU = 'qemu-system-x86_64';
