import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder, stateFolder } from '@peerlab/runtime';
import type { MachineDefinition, ServerPorts } from './definition.js';
import { chooseMachines, MACHINES } from './machines.js';
import { SERVERS } from './servers.js';

export const LAB_HELP = `peerlab-lab up|status|down [options]

  up       starts the machines and keeps them running until Ctrl-C
  status   prints which machines run and answer over SSH
  down     stops the lab and its machines

  --state DIR         disks, keys, logs       (PEERLAB_STATE; default: /var/lib/peerlab or the XDG state folder)
  --cache DIR         disk image              (PEERLAB_CACHE; default: the XDG cache folder)
  --machines A,B      only these machines; "all" for every one of
                      ${MACHINES.filter((m) => m.server === undefined)
                        .map((m) => m.name)
                        .join(', ')};
                      servers, by name only: ${SERVERS.map((m) => m.name).join(', ')}
                      (default: ${MACHINES.filter((m) => m.inDefaultSet)
                        .map((m) => m.name)
                        .join(', ')})
  --boot-slots N      machines that boot at the same time (default: cores + 1)
  --port-base N       first SSH port          (PEERLAB_LAB_PORT_BASE; default 22101)
  --keep              leave the machines running at the end; the next "up" adopts them

  PEERLAB_ACCELERATOR kvm or tcg; default: kvm when a trial boot works
`;

export interface LabCommand {
  command: 'up' | 'status' | 'down';
  stateDir: string;
  cacheDir: string;
  machines: readonly MachineDefinition[];
  portBase: number;
  bootSlots: number;
  keep: boolean;
}

/** A wrong command line; the message names the option and what it takes. */
export class LabUsageError extends Error {}

/** Ports of servers begin so far above that of the first machine, four for each. */
const SERVER_PORTS_FROM = 100;

/** The ports of a server besides that of SSH; null for a plain machine. */
export function serverPortsOf(portBase: number, name: string): ServerPorts | null {
  const index = SERVERS.findIndex((machine) => machine.name === name);
  if (index === -1) return null;
  const first = portBase + SERVER_PORTS_FROM + 4 * index;
  return { ipmi: first, bmc: first + 1, console: first + 2 };
}

/** The port of a machine does not depend on which machines are chosen. */
export function sshPortOf(portBase: number, name: string): number {
  return portBase + MACHINES.findIndex((machine) => machine.name === name);
}

function machinesOf(text: string): readonly MachineDefinition[] {
  const chosen = chooseMachines(text.split(',').filter((name) => name !== ''));
  if ('unknown' in chosen)
    throw new LabUsageError(
      `--machines: there is no machine "${chosen.unknown}"; expected "all" or some of ${MACHINES.map((m) => m.name).join(', ')}`,
    );
  return chosen;
}

/** Machines that start at the same time: a boot under emulation takes a whole core for twenty seconds. */
function bootSlots(text: string): number {
  const slots = Number(text);
  if (!Number.isInteger(slots) || slots < 1)
    throw new LabUsageError(`--boot-slots ${text}: expected a whole number, at least 1`);
  return slots;
}

export function readLabCommand(argv: string[], env: NodeJS.ProcessEnv, uid: number): LabCommand | 'help' {
  let parsed;
  try {
    parsed = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        state: { type: 'string', default: stateFolder(env, uid) },
        cache: { type: 'string', default: cacheFolder(env) },
        machines: { type: 'string', default: '' },
        'port-base': { type: 'string', default: env['PEERLAB_LAB_PORT_BASE'] ?? '22101' },
        'boot-slots': { type: 'string', default: String(availableParallelism() + 1) },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new LabUsageError((error as Error).message.split('. ')[0] ?? 'wrong option');
  }
  const { values, positionals } = parsed;
  if (values.help) return 'help';
  const [command] = positionals;
  if (positionals.length !== 1 || (command !== 'up' && command !== 'status' && command !== 'down'))
    throw new LabUsageError('expected one of: up, status, down');
  const portBase = Number(values['port-base']);
  const highest = 65_535 - SERVER_PORTS_FROM - 4 * SERVERS.length;
  if (!Number.isInteger(portBase) || portBase < 1024 || portBase > highest)
    throw new LabUsageError(`--port-base ${values['port-base']}: expected a port from 1024 to ${highest}`);
  return {
    command,
    stateDir: resolve(values.state),
    cacheDir: resolve(values.cache),
    machines: command === 'down' ? MACHINES : machinesOf(values.machines),
    bootSlots: bootSlots(values['boot-slots']),
    portBase,
    keep: values.keep,
  };
}
