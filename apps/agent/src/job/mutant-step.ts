import type { WorkSuite } from '@peerlab/contracts';
import { quote, script } from '../machine/command.js';
import { MachineError } from '../machine/errors.js';
import { readStep, type Step } from '../mutants/index.js';
import { until } from '../timing.js';
import type { AttemptContext } from './attempt-context.js';
import { deviceEnvironment } from './chosen-devices.js';
import { commandOf, killSuite } from './suite-command.js';

/** How a test ended for the machine. broken = it kept running, and only the connection broke: that says nothing. */
export type StepEnd =
  | { kind: 'ran'; step: Step }
  | { kind: 'crash'; signature: string }
  | { kind: 'hang'; limitSeconds: number }
  | { kind: 'broken' };

const CONTROL = '/sys/kernel/debug/peerlab_mutant';
/** No test of a mutant may take longer: there are hundreds of them. */
const TEST_MAX_SECONDS = 150;
/** For the machine to answer after its own limit has passed, in seconds. */
const ANSWER_SECONDS = 45;
const OUTPUT_MAX_BYTES = 64 * 1024;
const LOOK_EVERY_MS = 200;
/** What a kernel says that has found something wrong. */
const COMPLAINTS = 'WARNING:|BUG:|Oops|INFO:|DMAR: .*fault|DMA-API|suspicious RCU|leaked';

/** Chooses a mutant, runs one test, chooses none, and prints what `readStep` reads. 0 = the series as it is. */
function stepScript(context: AttemptContext, suite: WorkSuite, test: string, number: number, seconds: number): string {
  const { folder } = context.paths;
  const out = quote(`${folder}/mutant.out`);
  const suiteWords = commandOf(folder, suite, ['--only', test], deviceEnvironment(context.work));
  return script(
    'mutant-test',
    { suite: suite.name, test, mutant: number },
    `[ -e ${CONTROL} ] || { echo 'the kernel carries no mutants' >&2; exit 1; }
dmesg -C
echo 1 2>/dev/null >/sys/kernel/debug/clear_warn_once
echo ${number} >${CONTROL} || exit 1
timeout -s KILL ${seconds} sh -c ${quote(suiteWords)} </dev/null >${out} 2>&1
echo "@reached $(tr '\\n' ',' <${CONTROL})"
echo 0 >${CONTROL}
echo @kernel
dmesg | grep -E '${COMPLAINTS}' | head -n 40 | cut -c 1-400
echo @output
head -c ${OUTPUT_MAX_BYTES} ${out}`,
  );
}

/**
 * Runs one test while a mutant is chosen. Crash text on the console outranks a lost connection, which outranks what the test
 * printed. Rejects with the signal's reason, and with what keeps every test from running.
 */
export async function runMutantStep(
  context: AttemptContext,
  suite: WorkSuite,
  test: string,
  number: number,
): Promise<StepEnd> {
  const { serial, pace, signal } = context;
  const seconds = Math.min(suite.testTimeoutSeconds, TEST_MAX_SECONDS);
  const crashed = serial.watchFrom(serial.next);
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const limitMs = (seconds + ANSWER_SECONDS) * 1000;
  const command = stepScript(context, suite, test, number, seconds);
  const crash = until('crash text', () => crashed() ?? undefined, {
    everyMs: LOOK_EVERY_MS,
    timeoutMs: limitMs + 60_000,
    signal: stop,
  }).then(
    ({ signature }): StepEnd => ({ kind: 'crash', signature }),
    () => null,
  );
  try {
    const ran = context.connection
      .require()
      .exec(command, { signal: stop, timeoutMs: limitMs, maxBytes: 4 * OUTPUT_MAX_BYTES });
    const first = await Promise.race([ran, crash]);
    if (first !== null && 'kind' in first) {
      void ran.catch(() => undefined);
      return first;
    }
    const result = await ran;
    const step = readStep(result.stdout);
    if (step !== null) return { kind: 'ran', step };
    throw new MachineError(
      'command-failed',
      `a test of a mutant could not be run: ${result.stderr.trim() || 'no output'}`,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof MachineError) || error.kind === 'command-failed' || error.kind === 'fenced') throw error;
    // A dying machine drops its connections before its console has said all.
    const late = await until('crash text', () => crashed() ?? undefined, {
      everyMs: LOOK_EVERY_MS,
      timeoutMs: pace.lateCrashMs,
      signal,
    }).catch(() => null);
    signal.throwIfAborted();
    if (late !== null) return { kind: 'crash', signature: late.signature };
    return error.kind === 'command-timeout' ? { kind: 'hang', limitSeconds: seconds } : lookAgain(context, seconds);
  } finally {
    over.abort(new Error('the test ended'));
  }
}

/** The connection is gone and the console says nothing: what runs on the machine now? */
async function lookAgain(context: AttemptContext, limitSeconds: number): Promise<StepEnd> {
  const { connection, kernelLog, paths, signal } = context;
  const bootId = context.candidate?.bootId;
  const booted = await connection.awaitBoot(null, () => context.recoverMs, signal).catch(() => null);
  signal.throwIfAborted();
  if (booted === null) return { kind: 'hang', limitSeconds };
  if (booted.kernel.bootId !== bootId) return { kind: 'crash', signature: 'silent reset' };
  await killSuite(booted.session, paths.folder);
  await kernelLog.attach(booted.session, booted.kernel);
  return { kind: 'broken' };
}
