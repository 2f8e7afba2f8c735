import { dirname, resolve } from 'node:path';
import { problemItems } from '@peerlab/contracts';
import { z } from 'zod';
import { type AgentConfig, ConfigError, POWER_WAYS_MAX, readYaml, wrongBmc } from '../config/agent-config.js';
import type { DriverSettings } from '../machine/driver.js';
import { POWER, withPaths } from '../machine/registry.js';

const Ways = z.array(POWER).min(1).max(POWER_WAYS_MAX);

/**
 * The ways to a machine's power from a file that has what stands under `power:` of a config, with or without that word above
 * it: one way, or a list in the order in which they are tried. Paths are relative to the file, and come back absolute.
 * Throws ConfigError that names each field with its remedy.
 */
export function readPowerFile(path: string, { bmcs }: Pick<AgentConfig, 'bmcs'>): DriverSettings | DriverSettings[] {
  const file = resolve(path);
  const value = withoutWord(
    readYaml(file, '--power-file', 'give a YAML file with what stands under power: of a config'),
  );
  const isList = Array.isArray(value);
  const parsed = Ways.safeParse(isList ? value : [value]);
  /** One way alone has no place in a list. */
  const named = (path: string): string =>
    isList ? ['power', path].filter((part) => part !== '').join('.') : path.replace(/^0/, 'power');
  if (!parsed.success) {
    const remedy = 'correct it; infra/LAB.md says what each driver takes under power:';
    const items = problemItems(parsed.error).map((item) => ({ remedy, ...item, path: named(item.path) }));
    throw new ConfigError(file, items);
  }
  const wrong = parsed.data.flatMap((way, index) => wrongBmc(way, named(String(index)), bmcs));
  if (wrong.length > 0) throw new ConfigError(file, wrong);
  const found = parsed.data.map((way) => withPaths('power', way, (name) => resolve(dirname(file), name)));
  const [only] = found;
  return isList || only === undefined ? found : only;
}

/** People copy the word along with what stands below it. */
function withoutWord(value: unknown): unknown {
  const isWord = typeof value === 'object' && value !== null && Object.keys(value).join() === 'power';
  return isWord ? (value as { power: unknown }).power : value;
}
