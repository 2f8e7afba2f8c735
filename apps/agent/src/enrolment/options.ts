import { parseArgs } from 'node:util';
import { OWN_CONFIG } from '@peerlab/contracts';

/** What a person asked for. */
export interface EnrolmentOptions {
  verb: 'add' | 'check' | 'configure';
  config: string;
  machine: string;
  json: boolean;
  /** Also proves what changes the machine: console, power, one-shot boot. */
  act: boolean;
  /**
   * What a person lets happen: the machine's name for reboots and its power, `NAME/power-2` for the second way to that. What
   * is not among them is asked on the terminal.
   */
  confirm: readonly string[];
  add: AddOptions;
  configure: ConfigureOptions;
}

export interface ConfigureOptions {
  /** What runs call the configuration; the machine's name unless given. */
  as: string;
  allModules: boolean;
}

export interface AddOptions {
  host?: string;
  port?: string;
  user?: string;
  /** Commands run by sudo: the user may use it without a password. */
  sudo?: boolean;
  key?: string;
  fingerprint?: string;
  bmc?: string;
  /** A file with its ways to power, in place of `bmc`. */
  'power-file'?: string;
  console?: string;
  description?: string;
  /** `KEY=VALUE,KEY=VALUE` */
  labels?: string;
}

export const USAGE = `usage: peerlab machine check MACHINE --config FILE [--act [--confirm MACHINE[,MACHINE/power-2…]]] [--json]
       peerlab machine add MACHINE --config FILE --host HOST --key FILE
           [--port N] [--user NAME] [--sudo] [--fingerprint SHA256:…] [--bmc NAME | --power-file FILE]
           [--console sol[:BMC] | tcp:HOST:PORT | file:PATH] [--labels KEY=VALUE,…] [--description TEXT]
           [--act [--confirm MACHINE[,MACHINE/power-2…]]] [--json]
       peerlab machine configure MACHINE --config FILE [--as NAME] [--all-modules] [--json]`;

/** What a configuration may be called: run files and kernel/config know it by this. */
const CONFIGURATION_NAME = /^[a-z0-9-]{1,64}$/;

/** Something that was typed wrong, with what is right. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/** Reads a command line without the program's name. Throws OptionError. */
export function readOptions(argv: readonly string[]): EnrolmentOptions {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        json: { type: 'boolean' },
        act: { type: 'boolean' },
        confirm: { type: 'string' },
        host: { type: 'string' },
        port: { type: 'string' },
        user: { type: 'string' },
        sudo: { type: 'boolean' },
        key: { type: 'string' },
        fingerprint: { type: 'string' },
        bmc: { type: 'string' },
        'power-file': { type: 'string' },
        console: { type: 'string' },
        description: { type: 'string' },
        labels: { type: 'string' },
        as: { type: 'string' },
        'all-modules': { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new OptionError(error instanceof Error ? error.message : String(error));
  }
  const [verb, machine, ...more] = parsed.positionals;
  const { config, json, act, confirm, as, 'all-modules': allModules, ...add } = parsed.values;
  if (verb !== 'add' && verb !== 'check' && verb !== 'configure')
    throw new OptionError(`expected "add", "check" or "configure", not "${verb ?? ''}"`);
  if (machine === undefined || more.length > 0) throw new OptionError('expected the name of one machine');
  if (config === undefined) throw new OptionError("--config is missing: the file of the site's agent");
  const given = Object.entries(add).find(([, value]) => value !== undefined);
  if (verb !== 'add' && given !== undefined)
    throw new OptionError(`--${given[0]} belongs to add; ${verb} reads the config`);
  if (verb === 'configure' && (act !== undefined || confirm !== undefined))
    throw new OptionError('configure changes nothing on the machine: --act and --confirm belong to add and check');
  if (verb !== 'configure' && (as !== undefined || allModules !== undefined))
    throw new OptionError(`--${as === undefined ? 'all-modules' : 'as'} belongs to configure`);
  const name = as ?? machine;
  if (verb === 'configure' && !CONFIGURATION_NAME.test(name))
    throw new OptionError(`"${name}" cannot name a configuration: give --as NAME, of small letters, digits and -`);
  if (verb === 'configure' && name === OWN_CONFIG)
    throw new OptionError(`"config: ${name}" is each machine's own configuration: give --as NAME, another name`);
  const confirmed = confirm?.split(',') ?? [];
  const unknown = confirmed.find(
    (word) =>
      word !== machine && !(word.startsWith(`${machine}/`) && /^power-[2-9]$/.test(word.slice(machine.length + 1))),
  );
  if (unknown !== undefined) throw new OptionError(`--confirm ${unknown} is not the name of the machine, ${machine}`);
  return {
    verb,
    config,
    machine,
    json: json === true,
    act: act === true,
    confirm: confirmed,
    add,
    configure: { as: name, allModules: allModules === true },
  };
}
