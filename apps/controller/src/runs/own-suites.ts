import {
  packagesOf,
  SCRIPT_FILE,
  suiteOfVariant,
  suiteVariants,
  type ProblemItem,
  type RunSpec,
  type WorkSuite,
} from '@peerlab/contracts';

/** What all suites of one assignment may have that no bundle brings, in bytes of JSON; a frame carries four times as much. */
export const OWN_SUITES_MAX_BYTES = 2 * 1024 * 1024;
const LIMIT_SECONDS = 600;

/** How an agent is told to run those of these suites that the run brings, in the order of the names. */
export function ownWork({ ownSuites = [] }: Pick<RunSpec, 'ownSuites'>, names: readonly string[]): WorkSuite[] {
  const own = new Map(ownSuites.map((suite) => [suite.name, suite]));
  return [...new Set(names)].flatMap((name): WorkSuite[] => {
    const suite = own.get(suiteOfVariant(name));
    const variant = suite === undefined ? undefined : suiteVariants(suite).find((each) => each.name === name);
    if (suite === undefined || variant === undefined) return [];
    const { kind = 'functional', script, command, path, kselftest, limitSeconds = LIMIT_SECONDS } = suite;
    return [
      {
        name,
        kind,
        command: command ?? (path === undefined ? [SCRIPT_FILE] : [path]),
        timeoutSeconds: limitSeconds,
        testTimeoutSeconds: suite.testLimitSeconds ?? limitSeconds,
        tests: [],
        own: {
          dialect: kselftest === undefined ? (suite.dialect ?? 'exit-code') : 'ktap',
          ...(script === undefined ? {} : { script }),
          ...(path === undefined ? {} : { path }),
          ...(kselftest === undefined ? {} : { kselftest }),
          files: suite.files ?? [],
          packages: packagesOf(suite),
          needs: suite.needs ?? {},
          parameters: variant.parameters,
        },
      },
    ];
  });
}

/** Digests of the files that the suites of a run bring. */
export const ownArtifacts = ({ ownSuites = [] }: Pick<RunSpec, 'ownSuites'>): string[] =>
  ownSuites.flatMap(({ files = [] }) => files.map(({ artifact }) => artifact));

/** Files of suites that are not stored, and suites that are too much for an assignment. */
export function checkOwnSuites(spec: RunSpec, stored: ReadonlySet<string>): ProblemItem[] {
  const places = new Map<string, number>();
  for (const name of spec.suites.map(suiteOfVariant)) if (!places.has(name)) places.set(name, places.size);
  const problems = (spec.ownSuites ?? []).flatMap(({ name, files = [] }) =>
    files.flatMap(({ artifact }, index): ProblemItem[] => {
      if (stored.has(artifact)) return [];
      const path = `suites.${places.get(name) ?? 0}.files.${index}.artifact`;
      return [{ path, message: `no artifact ${artifact} is stored`, remedy: 'upload it first: peerlab upload FILE' }];
    }),
  );
  const bytes = Buffer.byteLength(JSON.stringify(ownWork(spec, spec.suites)));
  if (bytes <= OWN_SUITES_MAX_BYTES) return problems;
  const message = `the suites have ${bytes} bytes as they are sent to an agent, at most ${OWN_SUITES_MAX_BYTES} are possible`;
  return [...problems, { path: 'suites', message, remedy: 'upload long scripts as files, or give fewer variants' }];
}
