import { parseArgs } from 'node:util';

/** What a person asked for. */
export interface EnrolmentOptions {
  verb: 'add' | 'check' | 'configure';
  config: string;
  machine: string;
  json: boolean;
  /** Also proves what changes the machine: console, power, one-shot boot. */
  act: boolean;
  /** The machine's name, typed by a person who lets it be rebooted and switched off; null = ask on the terminal. */
  confirm: string | null;
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
  key?: string;
  fingerprint?: string;
  bmc?: string;
  console?: string;
  description?: string;
  /** `KEY=VALUE,KEY=VALUE` */
  labels?: string;
}

export const USAGE = `usage: peerlab machine check MACHINE --config FILE [--act [--confirm MACHINE]] [--json]
       peerlab machine add MACHINE --config FILE --host HOST --key FILE
           [--port N] [--user NAME] [--fingerprint SHA256:…] [--bmc NAME]
           [--console sol[:BMC] | tcp:HOST:PORT | file:PATH] [--labels KEY=VALUE,…] [--description TEXT]
           [--act [--confirm MACHINE]] [--json]
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
        key: { type: 'string' },
        fingerprint: { type: 'string' },
        bmc: { type: 'string' },
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
  if (confirm !== undefined && confirm !== machine)
    throw new OptionError(`--confirm ${confirm} is not the name of the machine, ${machine}`);
  return {
    verb,
    config,
    machine,
    json: json === true,
    act: act === true,
    confirm: confirm ?? null,
    add,
    configure: { as: name, allModules: allModules === true },
  };
}
