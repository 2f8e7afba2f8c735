import { type KtapEvent, type WorkSuite, parseKtapLine } from '@peerlab/contracts';
import type { CommandEnd } from '../machine/protocols.js';
import { until } from '../timing.js';
import { allBackpressure, AnswerDesk } from './answer-desk.js';
import { answerMeeting } from './answer-meeting.js';
import type { SerialCrash } from './serial-recorder.js';
import { deviceEnvironment, memoryOfProvider } from './chosen-devices.js';
import { isOwn, ownSuiteCommand } from './own-suite.js';
import { roleEnvironment } from './role-environment.js';
import { suiteCommand } from './suite-command.js';
import type { SuiteProgress } from './suite-progress.js';
import type { AttemptContext } from './attempt-context.js';

/** How one invocation of a suite ended. */
export type SuiteEnd =
  | { kind: 'exited'; code: number | null; signal: string | null }
  | { kind: 'crash'; crash: SerialCrash }
  | { kind: 'hang'; test: string; limitSeconds: number }
  | { kind: 'suite-timeout'; limitSeconds: number }
  | { kind: 'lost' };

const LOOK_EVERY_MS = 50;

/**
 * Runs a suite once on the current connection. `timeLeftMs` is the rest of the suite's time limit.
 * Crash text on the console outranks a lost connection, which outranks an exit code.
 */
export async function runSuiteOnce(
  context: AttemptContext,
  suite: WorkSuite,
  progress: SuiteProgress,
  timeLeftMs: number,
): Promise<SuiteEnd> {
  const { signal, pace, machine, spool, serial } = context;
  const session = context.connection.require();
  const crashed = serial.watchFrom(serial.next);
  const skip = progress.finished();
  const { path } = context.work;
  const first = spool.appendLine(
    'test',
    `# suite ${suite.name} on ${machine.name}, provider ${path.provider.address}, client ${path.client.address}${skip.length > 0 ? `, without ${skip.join(', ')}` : ''}`,
  );
  progress.restart(first + 1);
  const memory = memoryOfProvider(machine.deviceMemory, context.work);
  const desk = new AnswerDesk(memory, (what) => progress.leaveOut(what, 'a test has asked too often'));
  const over = new AbortController();
  const keep = (line: string, event: KtapEvent | null, continues: boolean): number => {
    const bytes = Buffer.byteLength(line);
    return progress.keeps(event, bytes)
      ? spool.appendLine('test', line, Date.now(), continues)
      : spool.leaveOut('test', { lines: 1, bytes, reason: 'flood' });
  };
  const handlers = {
    onStdoutLine: (line: string, continues: boolean) => {
      // The middle of a very long line is output, whatever it looks like.
      const event = continues ? null : parseKtapLine(line);
      const seq = keep(line, event, continues);
      progress.take(event, continues ? '' : line, seq);
      if (event?.type === 'starting') desk.beginTest();
      if (event?.type === 'oracle-read') desk.ask(event.offset, event.lengthBytes);
      if (event?.type === 'meet') {
        const { running } = progress;
        const sinceMs = running === null ? 0 : performance.now() - running.startedAt;
        const leftSeconds = suite.testTimeoutSeconds - sinceMs / 1000;
        desk.askOther('meetings', () => answerMeeting(context, suite.name, event, leftSeconds, over.signal));
      }
    },
    onStderrLine: (line: string, continues: boolean) => {
      keep(line, null, continues);
    },
    backpressure: allBackpressure(spool.backpressure, desk),
  };
  const startedAt = performance.now();
  const environment = { ...deviceEnvironment(context.work), ...roleEnvironment(context.assignment, context.facts) };
  const command = await session.start(
    isOwn(suite)
      ? ownSuiteCommand(context, suite, environment)
      : suiteCommand(context.paths.folder, suite, {
          skip,
          oracle: memory !== null,
          environment,
        }),
    handlers,
  );
  desk.open((text) => command.writeLine(text));
  let ended: CommandEnd | null = null;
  void command.ended.then((end) => {
    ended = end;
  });
  const look = (): SuiteEnd | undefined => {
    progress.flush(pace.settleMs);
    const crash = crashed();
    if (crash !== null) return { kind: 'crash', crash };
    const end = ended;
    if (end?.fault !== undefined) throw end.fault;
    if (end?.lost === true || session.lost.aborted) return { kind: 'lost' };
    if (end !== null) return { kind: 'exited', code: end.code, signal: end.signal };
    const now = performance.now();
    const { running } = progress;
    if (running !== null && now - running.startedAt > suite.testTimeoutSeconds * 1000) {
      return { kind: 'hang', test: running.test, limitSeconds: suite.testTimeoutSeconds };
    }
    if (now - startedAt > timeLeftMs) return { kind: 'suite-timeout', limitSeconds: suite.timeoutSeconds };
    return undefined;
  };
  try {
    const end = await until('the end of a suite', look, {
      everyMs: LOOK_EVERY_MS,
      timeoutMs: timeLeftMs + 60_000,
      signal,
    });
    if (end.kind === 'lost') return await lookForLateCrash(context, crashed);
    if (end.kind === 'crash') return { kind: 'crash', crash: await readWholeCrash(context, crashed, end.crash) };
    return end;
  } finally {
    desk.close();
    over.abort(new Error('the program ended'));
    command.close();
  }
}

/** A dying machine drops its connections before its console has said all. */
async function lookForLateCrash(context: AttemptContext, crashed: () => SerialCrash | null): Promise<SuiteEnd> {
  context.note('test: the connection broke; looking for a crash on the console');
  const crash = await until('crash text', () => crashed() ?? undefined, {
    everyMs: LOOK_EVERY_MS,
    timeoutMs: context.pace.lateCrashMs,
    signal: context.signal,
  }).catch(() => null);
  context.signal.throwIfAborted();
  return crash === null ? { kind: 'lost' } : { kind: 'crash', crash: await readWholeCrash(context, crashed, crash) };
}

const CRASH_END = /---\[ end Kernel panic|Rebooting in \d{1,9} seconds/;

/** Waits until the report is over, so that the signature has its function and the range its end. */
async function readWholeCrash(
  context: AttemptContext,
  crashed: () => SerialCrash | null,
  first: SerialCrash,
): Promise<SerialCrash> {
  const newLines = context.serial.newFrom(first.fromSeq);
  const over = (): true | undefined => (newLines().some((line) => CRASH_END.test(line.text)) ? true : undefined);
  await until('the end of the crash report', over, {
    everyMs: LOOK_EVERY_MS,
    timeoutMs: context.pace.crashTextMs,
    signal: context.signal,
  }).catch(() => undefined);
  context.signal.throwIfAborted();
  return crashed() ?? first;
}
