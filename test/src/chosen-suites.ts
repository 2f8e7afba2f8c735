import { parseArgs } from 'node:util';

/** EX_USAGE of sysexits.h: the command line, and no test. */
export const EXIT_USAGE = 64;

/** A command line that runs nothing: what is printed, and the exit code. */
export interface NothingToRun {
  text: string;
  exitCode: 0 | typeof EXIT_USAGE;
}

interface NamedSuite {
  name: string;
  always: boolean;
}

/**
 * The suites that a command line asks for, in their order: those that always run, or those that `--only` names.
 * @param argv without the program
 */
export function chosenSuites<S extends NamedSuite>(argv: string[], suites: readonly S[]): S[] | NothingToRun {
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: { only: { type: 'string', multiple: true }, help: { type: 'boolean', short: 'h' } },
    }));
  } catch (error) {
    return wrong((error as Error).message.split('. ')[0] ?? '', suites);
  }
  if (values.help === true) return { text: usage(suites), exitCode: 0 };
  if (values.only === undefined) return suites.filter(({ always }) => always);
  const names = values.only.flatMap((list) => list.split(','));
  const unknown = names.find((name) => !suites.some((suite) => suite.name === name));
  if (unknown !== undefined) return wrong(`--only ${unknown}: there is no such suite`, suites);
  return suites.filter(({ name }) => names.includes(name));
}

const wrong = (what: string, suites: readonly NamedSuite[]): NothingToRun => ({
  text: `${what}\n\n${usage(suites)}`,
  exitCode: EXIT_USAGE,
});

function usage(suites: readonly NamedSuite[]): string {
  const named = (always: boolean): string =>
    suites
      .filter((suite) => suite.always === always)
      .map(({ name }) => name)
      .join(', ');
  return `npm test [-- --only NAME[,NAME]]

Runs every check and ends with "N passed, N failed"; exit code 0: all passed, 1: some failed, 64: wrong command line.

  --only NAME[,NAME]  only these suites
  --help              print this

Suites: ${named(true)}
Only when named: ${named(false)}
`;
}
