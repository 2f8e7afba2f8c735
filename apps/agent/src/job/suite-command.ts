import { PLAN_MAX, type SuiteEntry, TEST_ID_MAX } from '@peerlab/contracts';
import { quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';

/** Linux takes 128 KiB in one word of a command. */
const SKIP_MAX = 100_000;
/** What a listing of PLAN_MAX ids may take. */
const LIST_MAX_BYTES = 4 * 1024 * 1024;
/** Characters of a line of the listing that are looked at. */
const LINE_MAX = 1024;
const ID = new RegExp(`^[a-zA-Z0-9][\\w.:-]{0,${TEST_ID_MAX - 1}}$`);

/** Ids for `--skip`, as many as fit into one word; a test that runs again is not counted again. */
function skipList(ids: readonly string[]): string {
  const fitting = ids.filter((id) => ID.test(id));
  let length = 0;
  const count = fitting.findIndex((id) => (length += id.length + 1) > SKIP_MAX);
  return (count === -1 ? fitting : fitting.slice(0, count)).join(',');
}

/** Enters the bundle's folder and becomes the suite. */
export function commandOf(
  folder: string,
  suite: SuiteEntry,
  options: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): string {
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${quote(value)} && `);
  const words = [...suite.command, ...options].map(quote);
  if (words[0] !== undefined && !words[0].startsWith('/')) words[0] = `./${words[0]}`;
  return `cd ${quote(folder)} && echo $$ > suite.pid && ${exports.join('')}exec ${words.join(' ')}`;
}

/** The shell command that runs a suite without the tests in `skip`. */
export function suiteCommand(
  folder: string,
  suite: SuiteEntry,
  options: { skip: readonly string[]; oracle: boolean; environment: Readonly<Record<string, string>> },
): string {
  const skip = skipList(options.skip);
  const flags = [...(options.oracle ? ['--oracle=stdio'] : []), ...(skip === '' ? [] : ['--skip', skip])];
  return script('suite', { suite: suite.name, skip }, commandOf(folder, suite, flags, options.environment));
}

/** Test ids in the order they run, from `--list`; null when the suite does not know that option. */
export async function listTests(
  session: Session,
  folder: string,
  suite: SuiteEntry,
  signal: AbortSignal,
): Promise<string[] | null> {
  const command = script('suite-list', { suite: suite.name }, commandOf(folder, suite, ['--list']));
  const result = await session.exec(command, { timeoutMs: 30_000, maxBytes: LIST_MAX_BYTES, signal });
  if (result.code !== 0) return null;
  const ids = result.stdout
    .split('\n')
    .map((line) => line.slice(0, LINE_MAX).trim().split(/\s/, 1)[0] ?? '')
    .filter((id) => ID.test(id));
  return ids.length === 0 ? null : [...new Set(ids)].slice(0, PLAN_MAX);
}

/** Ends a suite whose connection broke, so that it does not run beside its successor. */
export async function killSuite(session: Session, folder: string): Promise<void> {
  const body = `[ ! -f ${quote(folder)}/suite.pid ] || kill -9 "$(cat ${quote(folder)}/suite.pid)" 2>/dev/null; exit 0`;
  await session.exec(script('suite-kill', {}, body));
}
