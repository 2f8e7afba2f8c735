import {
  defaultSuites,
  OWN_CONFIG,
  type BuildSummary,
  type FarmCatalogue,
  type MachineSummary,
} from '@peerlab/contracts';

/** A name that can be completed, with a description. */
export interface Named {
  name: string;
  detail?: string;
  about?: string;
}

/** What manifests call a configuration by its settings (kernel/scripts/configuration.sh). */
const WHOLE_PREFIX = 'whole-';

/** Offered where some machine has a configuration of its own. */
const EACH_MACHINES: Named = {
  name: OWN_CONFIG,
  about: 'for each machine the one that was made from its own; machines with equal settings share a kernel',
};

/** Names of this farm's machines, labels, configs and bundles, which are not in the schema. */
export interface Known {
  suites: readonly Named[];
  /** Names of those that a run gets that names none. */
  defaultSuites: readonly string[];
  machines: readonly Named[];
  /** Values by label that some machine has. */
  labels: ReadonlyMap<string, readonly string[]>;
  configs: readonly Named[];
  bundles: readonly Named[];
  /** Git repositories that a builder allows. */
  repositories: readonly Named[];
  /** Other bases than the farm's own. */
  bases: readonly Named[];
  /** Names of RDMA devices of the machines. */
  rdmaDevices: readonly Named[];
}

/** Names that a run can use, from what the farm can build, its machines and its newest builds. */
export function knownOf(
  catalogue: Pick<FarmCatalogue, 'suites' | 'configs'> &
    Partial<Pick<FarmCatalogue, 'labSuites' | 'repositories' | 'bases' | 'rdmaDevices'>>,
  machines: readonly Pick<MachineSummary, 'name' | 'labels' | 'observed' | 'paths'>[],
  builds: readonly BuildSummary[],
): Known {
  const labels = new Map<string, string[]>();
  for (const [key, value] of machines.flatMap((machine) => Object.entries(machine.labels))) {
    const values = labels.get(key) ?? [];
    if (!values.includes(value)) labels.set(key, [...values, value]);
  }
  return {
    suites: namedOnce(
      [...catalogue.suites, ...(catalogue.labSuites ?? [])].map(({ name, about }) => ({
        name,
        ...(about === undefined ? {} : { about }),
      })),
    ),
    defaultSuites: defaultSuites(catalogue),
    machines: machines.map(({ name, observed, paths }) => {
      const kind = paths[0]?.kind;
      return { name, detail: kind === undefined ? observed : `${observed} · ${kind}` };
    }),
    labels,
    configs: namedOnce([
      ...(catalogue.configs.some(({ builtAs }) => builtAs !== undefined) ? [EACH_MACHINES] : []),
      ...catalogue.configs.map(({ name, about }) => ({ name, about })),
      ...builds.flatMap(({ manifest }) =>
        // A run cannot name the settings of a machine's own configuration by what manifests call them.
        manifest === null || manifest.config.name.startsWith(WHOLE_PREFIX) ? [] : [{ name: manifest.config.name }],
      ),
    ]),
    repositories: (catalogue.repositories ?? []).map((name) => ({ name })),
    bases: (catalogue.bases ?? []).map((name) => ({ name })),
    rdmaDevices: (catalogue.rdmaDevices ?? []).map((name) => ({ name })),
    bundles: namedOnce(
      builds.flatMap(({ name, runName, manifest, bundle }) =>
        // A bundle that retention removed cannot be tested again.
        manifest === null || bundle === null || bundle.removedAt !== null
          ? []
          : [{ name: manifest.key, detail: name, about: `${name} of ${runName}, ${manifest.release}` }],
      ),
    ),
  };
}

/** Each name once, as it stands first. */
function namedOnce(all: readonly Named[]): Named[] {
  const byName = new Map<string, Named>();
  for (const each of all) if (!byName.has(each.name)) byName.set(each.name, each);
  return [...byName.values()];
}

/** Names of a kind; for labels their keys, or the values of the given label. */
export function knownNames(
  known: Known,
  kind: 'suite' | 'machine' | 'label' | 'config' | 'bundle' | 'repository' | 'base' | 'rdmaDevice',
  label?: string,
): Named[] {
  switch (kind) {
    case 'suite':
      return [...known.suites];
    case 'machine':
      return [...known.machines];
    case 'config':
      return [...known.configs];
    case 'bundle':
      return [...known.bundles];
    case 'repository':
      return [...known.repositories];
    case 'base':
      return [...known.bases];
    case 'rdmaDevice':
      return [...known.rdmaDevices];
    case 'label':
      if (label !== undefined) return (known.labels.get(label) ?? []).map((name) => ({ name }));
      return [...known.labels].map(([name, values]) => ({
        name,
        detail: values.length > 3 ? `${values.slice(0, 3).join(', ')}, …` : values.join(', '),
      }));
  }
}
