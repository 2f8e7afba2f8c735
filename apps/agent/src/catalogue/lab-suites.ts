import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LAB_SUITES_MAX, type ProblemItem, problemItems, SuiteDefinition } from '@peerlab/contracts';
import { ConfigError, readYaml } from '../config/agent-config.js';

const EXTENSION = '.yaml';
/** What all suites of a lab may have, in bytes of JSON: they stand in the first message of every connection. */
const SUITES_MAX_BYTES = 1024 * 1024;

/**
 * The suites of a lab: one in each NAME.yaml of a folder, in the form that run files have. Throws ConfigError with every
 * problem of every file.
 */
export function readLabSuites(folder: string): SuiteDefinition[] {
  const files = filesOf(folder);
  const problems: ProblemItem[] = [];
  const suites = files.flatMap((file) => {
    const parsed = SuiteDefinition.safeParse(readYaml(join(folder, file), '', 'correct its permissions'));
    if (!parsed.success) {
      problems.push(...problemItems(parsed.error).map((item) => ({ ...item, path: `${file}: ${item.path}` })));
      return [];
    }
    if (`${parsed.data.name}${EXTENSION}` === file) return [parsed.data];
    const message = `the suite "${parsed.data.name}" has to stand in a file of that name`;
    problems.push({ path: file, message, remedy: `call the file ${parsed.data.name}${EXTENSION}` });
    return [];
  });
  const bytes = Buffer.byteLength(JSON.stringify(suites));
  if (bytes > SUITES_MAX_BYTES) {
    const message = `all suites together have ${bytes} bytes, at most ${SUITES_MAX_BYTES} are possible`;
    problems.push({ path: '', message, remedy: 'upload long scripts as files' });
  }
  if (problems.length > 0) throw new ConfigError(folder, problems);
  return suites;
}

function filesOf(folder: string): string[] {
  const wrong = (message: string, remedy: string): ConfigError =>
    new ConfigError(folder, [{ path: 'suitesDir', message, remedy }]);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw wrong(
      `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
      'create the folder, or leave out suitesDir',
    );
  }
  const files = names.filter((name) => name.endsWith(EXTENSION)).toSorted();
  if (files.length <= LAB_SUITES_MAX) return files;
  throw wrong(`has ${files.length} suites, at most ${LAB_SUITES_MAX} are possible`, 'remove some');
}
