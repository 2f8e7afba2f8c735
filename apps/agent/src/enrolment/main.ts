import { createInterface } from 'node:readline/promises';
import { log } from '@peerlab/runtime';
import { ConfigError } from '../config/agent-config.js';
import { adviceOf } from '../machine/errors.js';
import { configure } from './configure.js';
import { enrol, type Person } from './enrol.js';
import { type EnrolmentOptions, OptionError, readOptions, USAGE } from './options.js';
import { describeCheck, hasFailed, sumUp } from './report.js';

/** Exit codes, those of the command line's own table. */
const FIT = 0;
const NOT_FIT = 1;
const NO_STATEMENT = 2;
const USAGE_ERROR = 64;

function personAt(json: boolean, signal: AbortSignal): Person {
  const tell = (text: string): void => void process.stderr.write(`${text}\n`);
  return {
    tell,
    async ask(question) {
      if (!process.stdin.isTTY) return null;
      const lines = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return await lines.question(question, { signal });
      } finally {
        lines.close();
      }
    },
    onCheck: (check) => {
      if (!json) process.stdout.write(`${describeCheck(check)}\n`);
    },
  };
}

// The person sees what matters in words; lines for the journal of a service come only with trouble.
log.setBindings({ program: 'enrolment' });
log.level = process.env['PEERLAB_LOG_LEVEL'] ?? 'warn';
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));
try {
  const options = readOptions(process.argv.slice(2));
  const person = personAt(options.json, stopping.signal);
  if (options.verb === 'configure') {
    const { differences, ...made } = await configure(options, person, stopping.signal);
    process.stdout.write(
      options.json ? `${JSON.stringify({ ...made, differences }, null, 2)}\n` : `${differences.join('\n')}\n`,
    );
  } else await enrolHere(options, person);
} catch (error) {
  process.stderr.write(`peerlab: ${adviceOf(error)}\n`);
  if (error instanceof OptionError) process.stderr.write(`${USAGE}\n`);
  process.exitCode = error instanceof OptionError || error instanceof ConfigError ? USAGE_ERROR : NO_STATEMENT;
}

async function enrolHere(options: EnrolmentOptions, person: Person): Promise<void> {
  const { checks, wrote } = await enrol(options, person, stopping.signal);
  process.stdout.write(options.json ? `${JSON.stringify({ checks, wrote }, null, 2)}\n` : `${sumUp(checks)}\n`);
  process.exitCode = hasFailed(checks) ? NOT_FIT : FIT;
}
