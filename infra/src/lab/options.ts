import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { MACHINES, type MachineDefinition } from './definition.js';

export const LAB_HELP = `peerlab-lab up|status|down [options]

  up       brings the machines up and cares for them until Ctrl-C
  status   says which machines run and answer
  down     ends the lab and its machines

  --state DIR         disks, keys, logs       (PEERLAB_STATE; default: /var/lib/peerlab or the XDG state folder)
  --cache DIR         disk image              (PEERLAB_CACHE; default: the XDG cache folder)
  --machines A,B      only these machines     (${MACHINES.map((m) => m.name).join(', ')})
  --port-base N       first SSH port          (PEERLAB_LAB_PORT_BASE; default 22101)
  --keep              leave the machines running at the end; the next "up" takes them over

  PEERLAB_ACCELERATOR kvm or tcg; default: tried out
`;

export interface LabCommand {
  command: 'up' | 'status' | 'down';
  stateDir: string;
  cacheDir: string;
  machines: readonly MachineDefinition[];
  portBase: number;
  keep: boolean;
}

/** A wrong command line; the message names the option and what it takes. */
export class LabUsageError extends Error {}

/** Fixed per machine, so that choosing fewer machines moves no ports. */
export function sshPortOf(portBase: number, name: string): number {
  return portBase + MACHINES.findIndex((machine) => machine.name === name);
}

function chooseMachines(text: string): readonly MachineDefinition[] {
  const names = text.split(',').filter((name) => name !== '');
  const unknown = names.find((name) => !MACHINES.some((machine) => machine.name === name));
  if (unknown !== undefined)
    throw new LabUsageError(
      `--machines: there is no machine "${unknown}"; known: ${MACHINES.map((m) => m.name).join(', ')}`,
    );
  return names.length === 0 ? MACHINES : MACHINES.filter((machine) => names.includes(machine.name));
}

export function readLabCommand(argv: string[], env: NodeJS.ProcessEnv, uid: number): LabCommand | 'help' {
  const home = env['HOME'] ?? homedir();
  const defaultState =
    uid === 0 ? '/var/lib/peerlab' : join(env['XDG_STATE_HOME'] ?? join(home, '.local/state'), 'peerlab');
  let parsed;
  try {
    parsed = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        state: { type: 'string', default: env['PEERLAB_STATE'] ?? defaultState },
        cache: {
          type: 'string',
          default: env['PEERLAB_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(home, '.cache'), 'peerlab'),
        },
        machines: { type: 'string', default: '' },
        'port-base': { type: 'string', default: env['PEERLAB_LAB_PORT_BASE'] ?? '22101' },
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
  const highest = 65_535 - MACHINES.length;
  if (!Number.isInteger(portBase) || portBase < 1024 || portBase > highest)
    throw new LabUsageError(`--port-base ${values['port-base']}: expected a port from 1024 to ${highest}`);
  return {
    command,
    stateDir: resolve(values.state),
    cacheDir: resolve(values.cache),
    machines: chooseMachines(values.machines),
    portBase,
    keep: values.keep,
  };
}
