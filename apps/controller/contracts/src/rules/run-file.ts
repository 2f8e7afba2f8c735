import type { RunFile, RunSpec, SuiteChoice } from '../schema/run-spec.js';
import { suiteOfVariant, suiteVariants } from '../schema/suite.js';

/** A run file as it is planned and stored: each variant of a suite has its name, and definitions stand by themselves. */
export function specOfFile({ suites, ...file }: RunFile): RunSpec {
  const own = suites.flatMap((suite) => (typeof suite === 'string' ? [] : [suite]));
  const names = suites.flatMap((suite) =>
    typeof suite === 'string' ? [suite] : suiteVariants(suite).map(({ name }) => name),
  );
  return { ...file, suites: names, ...(own.length === 0 ? {} : { ownSuites: own }) };
}

/** A stored run as a run file; the inverse of `specOfFile` for runs that name all variants of a suite. */
export function fileOfSpec({ ownSuites = [], suites, ...spec }: RunSpec): RunFile {
  const own = new Map(ownSuites.map((suite) => [suite.name, suite]));
  const choices = suites.map((name): [string, SuiteChoice] => {
    const definition = own.get(suiteOfVariant(name));
    return definition === undefined ? [name, name] : [definition.name, definition];
  });
  return { ...spec, suites: [...new Map(choices).values()] };
}
