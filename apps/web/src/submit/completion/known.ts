import { KERNEL_CONFIGS, SUITES, type BuildSummary, type MachineSummary } from '@peerlab/contracts';

/** A name that can be completed, with a description. */
export interface Named {
  name: string;
  detail?: string;
  about?: string;
}

/** Names of this farm's machines, labels, configs and bundles, which are not in the schema. */
export interface Known {
  suites: readonly Named[];
  machines: readonly Named[];
  /** Values by label that some machine has. */
  labels: ReadonlyMap<string, readonly string[]>;
  configs: readonly Named[];
  bundles: readonly Named[];
}

/** Names that a run can use, from the farm's machines and its newest builds. */
export function knownOf(
  machines: readonly Pick<MachineSummary, 'name' | 'labels' | 'observed' | 'paths'>[],
  builds: readonly BuildSummary[],
): Known {
  const labels = new Map<string, string[]>();
  for (const [key, value] of machines.flatMap((machine) => Object.entries(machine.labels))) {
    const values = labels.get(key) ?? [];
    if (!values.includes(value)) labels.set(key, [...values, value]);
  }
  return {
    suites: SUITES.map((name) => ({ name })),
    machines: machines.map(({ name, observed, paths }) => {
      const kind = paths[0]?.kind;
      return { name, detail: kind === undefined ? observed : `${observed} · ${kind}` };
    }),
    labels,
    configs: namedOnce([
      ...KERNEL_CONFIGS.map((name) => ({ name })),
      ...builds.flatMap(({ manifest }) => (manifest === null ? [] : [{ name: manifest.config.name }])),
    ]),
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

const namedOnce = (all: readonly Named[]): Named[] => [...new Map(all.map((each) => [each.name, each])).values()];

/** Names of a kind; for labels their keys, or the values of the given label. */
export function knownNames(
  known: Known,
  kind: 'suite' | 'machine' | 'label' | 'config' | 'bundle',
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
    case 'label':
      if (label !== undefined) return (known.labels.get(label) ?? []).map((name) => ({ name }));
      return [...known.labels].map(([name, values]) => ({
        name,
        detail: values.length > 3 ? `${values.slice(0, 3).join(', ')}, …` : values.join(', '),
      }));
  }
}
