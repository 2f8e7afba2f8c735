import type { AgentConfig, MachineConfig } from '../config/agent-config.js';
import { OptionError } from './options.js';

/** The machine of the config with this name. Throws OptionError, which names those that there are. */
export function knownMachine({ machines }: AgentConfig, name: string): MachineConfig {
  const known = machines.find((one) => one.name === name);
  if (known !== undefined) return known;
  const names = machines.map((one) => one.name).join(', ');
  throw new OptionError(`the config has no machine "${name}"; it has ${names === '' ? 'none' : names}`);
}
