import type { MachineConfig } from './config/agent-config.js';
import { createLogFileConsole } from './machine/drivers/console-log-file.js';
import { createGrubBootSelect } from './machine/drivers/grub.js';
import { createFileMemory } from './machine/drivers/memory-file.js';
import { createQemuDisk } from './machine/drivers/qemu-disk.js';
import { createQemuPower } from './machine/drivers/qemu-power.js';
import { createSshAccess } from './machine/drivers/ssh.js';
import type { BootSelect, Console, DeviceMemory, Disk, Machine, Power } from './machine/protocols.js';

function composePower(config: MachineConfig['power']): Power | null {
  switch (config?.driver) {
    case undefined:
      return null;
    case 'qemu':
      return createQemuPower(config);
  }
}

function composeDisk(config: MachineConfig['disk']): Disk | null {
  switch (config?.driver) {
    case undefined:
      return null;
    case 'qemu':
      return createQemuDisk(config);
  }
}

function composeConsole(config: MachineConfig['console']): Console | null {
  switch (config?.driver) {
    case undefined:
      return null;
    case 'qemu':
    case 'file':
      return createLogFileConsole(config);
  }
}

function composeBoot(config: MachineConfig['boot']): BootSelect {
  switch (config.driver) {
    case 'grub':
      return createGrubBootSelect();
  }
}

function composeDeviceMemory(config: MachineConfig['deviceMemory'][number]): DeviceMemory {
  switch (config.driver) {
    case 'file':
      return createFileMemory(config);
  }
}

/** The machine that a config describes. The only place where a driver's name is looked at. */
export function composeMachine(config: MachineConfig): Machine {
  return {
    name: config.name,
    description: config.description,
    labels: config.labels,
    kernelArguments: config.kernelArguments,
    firmwareMs: config.firmwareSeconds === undefined ? null : config.firmwareSeconds * 1000,
    access: createSshAccess(config.shell),
    power: composePower(config.power),
    disk: composeDisk(config.disk),
    console: composeConsole(config.console),
    boot: composeBoot(config.boot),
    deviceMemory: config.deviceMemory.map(composeDeviceMemory),
  };
}
