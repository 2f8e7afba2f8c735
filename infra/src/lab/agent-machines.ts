import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deviceMemoryFiles, type MachineDefinition, type MachinePaths, pairAddress } from './definition.js';
import { labDirectory } from './paths.js';

/** A machine with everything that an agent needs to control it. */
export interface PreparedMachine {
  definition: MachineDefinition;
  paths: MachinePaths;
  sshPort: number;
  privateKeyFile: string;
  /** The machine's public host key, which the agent pins. */
  hostKey: string;
}

/** An emulated machine takes a second for it, on a starved computer a minute. */
const FIRMWARE_SECONDS = 120;

/** The `machines` part of an agent's config. */
export function agentMachines(machines: readonly PreparedMachine[]): object[] {
  return machines.map(({ definition, paths, sshPort, privateKeyFile, hostKey }) => ({
    name: definition.name,
    description: definition.description,
    labels: definition.labels,
    kernelArguments: definition.kernelArguments,
    firmwareSeconds: FIRMWARE_SECONDS,
    shell: { driver: 'ssh', host: '127.0.0.1', port: sshPort, user: 'root', privateKeyFile, hostKey },
    power: { driver: 'qemu', qmpSocket: paths.powerSocket },
    console: { driver: 'qemu', logFile: paths.consoleLog },
    disk: { driver: 'qemu', qmpSocket: paths.powerSocket, stateFile: paths.diskState },
    boot: { driver: 'grub' },
    deviceMemory: deviceMemoryFiles(definition, paths).map((path) => ({ driver: 'file', path })),
    ...linkOf(definition),
  }));
}

/** The network of a pair. Kernels call its device by different names, and the image gives it no address. */
const linkOf = ({ pair }: MachineDefinition): object =>
  pair === undefined ? {} : { link: { mac: pairAddress(pair.number), address: `10.77.0.${pair.number}/24` } };

/** Writes agent-machines.json into the lab's folder. @returns its path */
export async function writeAgentMachines(stateDir: string, machines: readonly PreparedMachine[]): Promise<string> {
  const file = join(labDirectory(stateDir), 'agent-machines.json');
  await writeFile(`${file}.new`, `${JSON.stringify(agentMachines(machines), null, 2)}\n`);
  await rename(`${file}.new`, file);
  return file;
}
