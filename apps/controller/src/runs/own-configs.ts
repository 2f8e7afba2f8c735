import { OWN_CONFIG, type BuildSpec, type CatalogueConfig } from '@peerlab/contracts';

/** Whether each machine boots a kernel of its own configuration. */
export const isOwnConfig = ({ config }: Pick<BuildSpec, 'config'>): boolean => config === OWN_CONFIG;

/**
 * The configurations that were made from machines' own, by the machine. Of several of one machine, that of its name; else the
 * first one by name, so that all controllers choose the same.
 */
export function ownConfigs(configs: readonly CatalogueConfig[]): Map<string, CatalogueConfig> {
  const byMachine = new Map<string, CatalogueConfig>();
  for (const config of configs.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (config.builtAs === undefined) continue;
    const { name, machine = name } = config;
    if (name === machine || !byMachine.has(machine)) byMachine.set(machine, config);
  }
  return byMachine;
}
