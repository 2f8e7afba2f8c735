import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deviceMemoryFiles, type MachineDefinition, type MachinePaths, pairAddress } from './definition.js';
import type { SiteKey } from './keys.js';
import { labDirectory } from './paths.js';
import { BMC_USER } from './virtual-bmc.js';

/** A machine with everything that an agent needs to control it. */
export interface PreparedMachine {
  definition: MachineDefinition;
  paths: MachinePaths;
  sshPort: number;
  privateKeyFile: string;
  /** The machine's public host key, which the agent pins. */
  hostKey: string;
  /** The BMC of a server; null for a plain machine. */
  bmc: { port: number; passwordFile: string } | null;
}

/** An emulated machine takes a second for it, on a starved computer a minute. */
const FIRMWARE_SECONDS = 120;

/** What an agent's `machinesFile` says of these machines. @param site what kernels are signed with; null = nothing */
export function agentMachines(
  machines: readonly PreparedMachine[],
  site: SiteKey | null = null,
): { signing?: object; bmcs: object; machines: object[] } {
  const bmcs = machines.flatMap(({ definition, bmc }) =>
    bmc === null ? [] : [[definition.name, { protocol: 'ipmi', host: '127.0.0.1', ...bmc, user: BMC_USER }] as const],
  );
  return {
    ...(site === null ? {} : { signing: { keyFile: site.keyFile, certificateFile: site.certificateFile } }),
    bmcs: Object.fromEntries(bmcs),
    machines: machines.map(agentMachine),
  };
}

function agentMachine({ definition, paths, sshPort, privateKeyFile, hostKey, bmc }: PreparedMachine): object {
  return {
    name: definition.name,
    description: definition.description,
    labels: definition.labels,
    kernelArguments: definition.kernelArguments,
    firmwareSeconds: FIRMWARE_SECONDS,
    shell: { driver: 'ssh', host: '127.0.0.1', port: sshPort, user: 'root', privateKeyFile, hostKey },
    ...(bmc === null ? plainDrivers(paths) : serverDrivers(definition)),
    boot: { driver: definition.server?.boot ?? 'grub' },
    deviceMemory: deviceMemoryFiles(definition, paths).map((path) => ({ driver: 'file', path })),
    ...linkOf(definition),
  };
}

const plainDrivers = (paths: MachinePaths): object => ({
  power: { driver: 'qemu', qmpSocket: paths.powerSocket },
  console: { driver: 'qemu', logFile: paths.consoleLog },
  disk: { driver: 'qemu', qmpSocket: paths.powerSocket, stateFile: paths.diskState },
});

/** A server keeps what is written to its disk: nothing but its BMC and its own tools put it back. */
const serverDrivers = ({ name, server }: MachineDefinition): object => ({
  power: { driver: 'ipmi', bmc: name },
  console: { driver: 'sol', bmc: name },
  ...(server === undefined ? {} : { initramfs: { driver: server.initramfs ?? 'initramfs-tools' } }),
});

/** The network of a pair. Kernels call its device by different names, and the image gives it no address. */
const linkOf = ({ pair }: MachineDefinition): object =>
  pair === undefined ? {} : { link: { mac: pairAddress(pair.number), address: `10.77.0.${pair.number}/24` } };

/** Writes agent-machines.json into the lab's folder. @returns its path */
export async function writeAgentMachines(
  stateDir: string,
  machines: readonly PreparedMachine[],
  site: SiteKey | null,
): Promise<string> {
  const file = join(labDirectory(stateDir), 'agent-machines.json');
  await writeFile(`${file}.new`, `${JSON.stringify(agentMachines(machines, site), null, 2)}\n`);
  await rename(`${file}.new`, file);
  return file;
}
