import type { SuiteEntry } from '@peerlab/contracts';
import { quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';

function commandOf(folder: string, suite: SuiteEntry, options: readonly string[]): string {
  const words = [...suite.command, ...options].map(quote);
  if (words[0] !== undefined && !words[0].startsWith('/')) words[0] = `./${words[0]}`;
  return `cd ${quote(folder)} && echo $$ > suite.pid && exec ${words.join(' ')}`;
}

/** The shell command that runs a suite without the tests in `skip`. */
export function suiteCommand(
  folder: string,
  suite: SuiteEntry,
  options: { skip: readonly string[]; oracle: boolean },
): string {
  const flags = [
    ...(options.oracle ? ['--oracle=stdio'] : []),
    ...(options.skip.length > 0 ? ['--skip', options.skip.join(',')] : []),
  ];
  return script('suite', { suite: suite.name, skip: options.skip.join(',') }, commandOf(folder, suite, flags));
}

/** Test ids in the order they run, from `--list`; null when the suite does not know that option. */
export async function listTests(
  session: Session,
  folder: string,
  suite: SuiteEntry,
  signal: AbortSignal,
): Promise<string[] | null> {
  const command = script('suite-list', { suite: suite.name }, commandOf(folder, suite, ['--list']));
  const result = await session.exec(command, { timeoutMs: 30_000, signal });
  if (result.code !== 0) return null;
  const ids = result.stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/, 1)[0] ?? '')
    .filter((id) => /^[a-zA-Z0-9][\w.:-]*$/.test(id));
  return ids.length === 0 ? null : [...new Set(ids)];
}

/** Ends a suite whose connection broke, so that it does not run beside its successor. */
export async function killSuite(session: Session, folder: string): Promise<void> {
  const body = `[ ! -f ${quote(folder)}/suite.pid ] || kill -9 "$(cat ${quote(folder)}/suite.pid)" 2>/dev/null; exit 0`;
  await session.exec(script('suite-kill', {}, body));
}
