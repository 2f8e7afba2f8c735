import { resolve } from 'node:path';
import { problemItems } from '@peerlab/contracts';
import { type AgentConfig, MachineConfig } from '../config/agent-config.js';
import type { Bmc } from '../machine/bmc.js';
import type { HostKey } from '../machine/drivers/host-key.js';
import { type AddOptions, OptionError } from './options.js';
import { readPowerFile } from './power-file.js';

/** Where a new machine answers, before anything is known of it. */
export function addressOf({ host, port }: AddOptions): { host: string; port: number } {
  if (host === undefined) throw new OptionError('--host is missing: where the machine answers by SSH');
  const number = Number(port ?? 22);
  if (!Number.isInteger(number) || number < 1 || number > 65535)
    throw new OptionError(`--port ${port ?? ''}: expected a number from 1 to 65535`);
  return { host, port: number };
}

/** @param bmc that of the power, which has the console too unless `sol:NAME` names another */
function consoleOf(text: string, bmc: string | undefined, bmcs: AgentConfig['bmcs']): Record<string, unknown> {
  const sol = /^sol(?::(.+))?$/.exec(text);
  if (sol !== null) {
    const name = sol[1] ?? bmc;
    if (name === undefined) throw new OptionError('--console sol needs --bmc: whose serial over LAN it is');
    const { protocol } = describedBmc(`--console ${text}`, name, bmcs);
    if (protocol === 'ipmi') return { driver: 'sol', bmc: name };
    throw new OptionError(
      `--console ${text}: "${name}" speaks ${protocol}, which has no console; where it speaks IPMI too, describe that under bmcs: and give --console sol:NAME`,
    );
  }
  if (text.startsWith('file:')) return { driver: 'file', logFile: resolve(text.slice('file:'.length)) };
  const tcp = /^tcp:(.{1,253}):(\d{1,5})$/.exec(text);
  if (tcp !== null) return { driver: 'tcp', host: tcp[1], port: Number(tcp[2]) };
  throw new OptionError(`--console ${text}: expected sol, sol:BMC, tcp:HOST:PORT or file:PATH`);
}

function describedBmc(option: string, name: string, bmcs: AgentConfig['bmcs']): Bmc {
  const bmc = Object.hasOwn(bmcs, name) ? bmcs[name] : undefined;
  if (bmc !== undefined) return bmc;
  const known = Object.keys(bmcs);
  throw new OptionError(
    `${option}: the config describes ${known.length === 0 ? 'none' : known.join(', ')}; add it under bmcs: first`,
  );
}

function labelsOf(list: string): Record<string, string> {
  return Object.fromEntries(
    list.split(',').map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new OptionError(`--labels ${pair}: expected KEY=VALUE`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/**
 * The entry that a config gets for a machine, as it is written there: only what differs from the defaults. Throws
 * OptionError that names the option, ConfigError for the file of --power-file.
 */
export function newMachine(
  name: string,
  options: AddOptions,
  hostKey: HostKey,
  { machines, bmcs }: Pick<AgentConfig, 'machines' | 'bmcs'>,
): Record<string, unknown> {
  if (machines.some((machine) => machine.name === name))
    throw new OptionError(`the config has a machine "${name}" already: use check, or another name`);
  if (options.key === undefined) throw new OptionError('--key is missing: the file with the private key that logs in');
  const { host, port } = addressOf(options);
  const bmc = options.bmc === undefined ? undefined : describedBmc(`--bmc ${options.bmc}`, options.bmc, bmcs);
  const powerFile = options['power-file'];
  if (bmc !== undefined && powerFile !== undefined)
    throw new OptionError(
      '--bmc and --power-file: give one of the two; the file may name the BMC as its first way, and --console sol:NAME takes its console',
    );
  const power =
    bmc !== undefined
      ? { driver: bmc.protocol, bmc: options.bmc }
      : powerFile === undefined
        ? undefined
        : readPowerFile(powerFile, { bmcs });
  const labels = options.labels === undefined ? {} : labelsOf(options.labels);
  const entry = {
    name,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    shell: {
      driver: 'ssh',
      host,
      ...(port === 22 ? {} : { port }),
      ...(options.user === undefined ? {} : { user: options.user }),
      ...(options.sudo === true ? { sudo: true } : {}),
      privateKeyFile: resolve(options.key),
      hostKey: hostKey.publicKey,
    },
    ...(power === undefined ? {} : { power }),
    ...(options.console === undefined ? {} : { console: consoleOf(options.console, options.bmc, bmcs) }),
  };
  const parsed = MachineConfig.safeParse(entry);
  if (parsed.success) return entry;
  throw new OptionError(
    problemItems(parsed.error)
      .map(({ path, message }) => `${path}: ${message}`)
      .join('; '),
  );
}
