import { z } from 'zod';
import type { DriverContext, DriverSettings } from './driver.js';
import { commandPower } from './drivers/command-power.js';
import { fileConsole, qemuConsole } from './drivers/console-log-file.js';
import { bootNext } from './drivers/boot-next.js';
import { grub2Boot, grubBoot } from './drivers/grub.js';
import { kexec } from './drivers/kexec.js';
import { systemdBoot } from './drivers/systemd-boot.js';
import { dracut, initramfsTools, mkinitcpio } from './drivers/initramfs.js';
import { ipmiPower } from './drivers/ipmi-power.js';
import { ipmiWatchdog } from './drivers/ipmi-watchdog.js';
import { rebootWatchdog } from './drivers/reboot-watchdog.js';
import { fileMemory } from './drivers/memory-file.js';
import { qemuDisk } from './drivers/qemu-disk.js';
import { qemuPower } from './drivers/qemu-power.js';
import { commandConsole, conserverConsole, netconsole, solConsole, tcpConsole } from './drivers/recorded-consoles.js';
import { redfishPower } from './drivers/redfish-power.js';
import { sshAccess } from './drivers/ssh.js';

/** Every driver, by the field of a machine's config and the name that stands there as `driver`. */
export const DRIVERS = {
  shell: { ssh: sshAccess },
  power: { qemu: qemuPower, ipmi: ipmiPower, redfish: redfishPower, command: commandPower },
  watchdog: { ipmi: ipmiWatchdog, systemd: rebootWatchdog },
  disk: { qemu: qemuDisk },
  console: {
    qemu: qemuConsole,
    file: fileConsole,
    sol: solConsole,
    tcp: tcpConsole,
    netconsole,
    conserver: conserverConsole,
    command: commandConsole,
  },
  boot: { grub: grubBoot, grub2: grub2Boot, 'systemd-boot': systemdBoot, uefi: bootNext, kexec },
  initramfs: { 'initramfs-tools': initramfsTools, dracut, mkinitcpio },
  deviceMemory: { file: fileMemory },
} as const;

/** Schemas of those fields: an object for each driver, told apart by `driver`. */
export const SHELL = z.discriminatedUnion('driver', [sshAccess.schema]);
export const POWER = z.discriminatedUnion('driver', [
  qemuPower.schema,
  ipmiPower.schema,
  redfishPower.schema,
  commandPower.schema,
]);
export const WATCHDOG = z.discriminatedUnion('driver', [ipmiWatchdog.schema, rebootWatchdog.schema]);
export const DISK = z.discriminatedUnion('driver', [qemuDisk.schema]);
export const CONSOLE = z.discriminatedUnion('driver', [
  qemuConsole.schema,
  fileConsole.schema,
  solConsole.schema,
  tcpConsole.schema,
  netconsole.schema,
  conserverConsole.schema,
  commandConsole.schema,
]);
export const BOOT = z.discriminatedUnion('driver', [
  grubBoot.schema,
  grub2Boot.schema,
  systemdBoot.schema,
  bootNext.schema,
  kexec.schema,
]);
export const INITRAMFS = z.discriminatedUnion('driver', [initramfsTools.schema, dracut.schema, mkinitcpio.schema]);
export const DEVICE_MEMORY = z.discriminatedUnion('driver', [fileMemory.schema]);

type Field = keyof typeof DRIVERS;

/** What the drivers of a field create. */
export type AbilityOf<F extends Field> = ReturnType<
  (typeof DRIVERS)[F][keyof (typeof DRIVERS)[F]] extends {
    create: infer Create extends (...args: never[]) => unknown;
  }
    ? Create
    : never
>;

interface AnyDriver {
  paths: readonly string[];
  create(settings: DriverSettings, context: DriverContext): unknown;
}

function driverOf(field: Field, { driver }: DriverSettings): AnyDriver {
  const found = (DRIVERS[field] as Record<string, unknown>)[driver];
  // The schema took the settings: it is there.
  return found as AnyDriver;
}

/** The ability that the settings of one field describe. */
export function createAbility<F extends Field>(
  field: F,
  settings: DriverSettings,
  context: DriverContext,
): AbilityOf<F> {
  return driverOf(field, settings).create(settings, context) as AbilityOf<F>;
}

/** The settings with their paths made absolute. */
export function withPaths<S extends DriverSettings>(field: Field, settings: S, resolve: (path: string) => string): S {
  const resolved = driverOf(field, settings).paths.map((name) => {
    const value = (settings as Record<string, unknown>)[name];
    return [name, typeof value === 'string' ? resolve(value) : value];
  });
  return { ...settings, ...Object.fromEntries(resolved) } as S;
}
