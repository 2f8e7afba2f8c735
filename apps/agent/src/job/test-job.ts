import type { Stage } from '@peerlab/contracts';
import { formatSeconds } from '../timing.js';
import { AgentStopping, type Failure, failureOf } from './failure.js';
import { boot } from './stages/boot.js';
import { collect } from './stages/collect.js';
import { flash } from './stages/flash.js';
import { prepare } from './stages/prepare.js';
import { restore } from './stages/restore.js';
import { test } from './stages/test.js';
import { verify } from './stages/verify.js';
import type { AttemptContext } from './attempt-context.js';
import { placeCalls } from './call-places.js';

const STAGE_WORK: readonly [Exclude<Stage, 'restore'>, (context: AttemptContext) => Promise<string>][] = [
  ['prepare', prepare],
  ['flash', flash],
  ['boot', boot],
  ['verify', verify],
  ['test', test],
  ['collect', collect],
];

/**
 * A whole test attempt up to its `finished` event. Rejects only with AgentStopping (the next start of
 * the agent recovers the attempt) or when the spool cannot be written.
 */
export async function runTestJob(context: AttemptContext): Promise<void> {
  context.note(
    `${context.work.buildName} on ${context.machine.name} (${context.work.path.kind}), attempt ${context.assignment.attemptId}`,
  );
  await context.openSerial();
  let failure: Failure | null = null;
  for (const [stage, work] of STAGE_WORK) {
    failure = await runStage(context, stage, work);
    if (failure !== null) break;
  }
  if (failure !== null) {
    for (const [stage] of STAGE_WORK.slice(STAGE_WORK.findIndex(([name]) => name === failure?.stage) + 1)) {
      context.emit({
        type: 'stage',
        stage,
        status: 'skipped',
        detail: `${failure.stage ?? 'an earlier stage'} failed`,
      });
    }
  }
  await restoreAndFinish(context, failure);
}

/** After a restart of the agent: what ran is lost, the machine is put back. */
export async function recoverTestJob(context: AttemptContext): Promise<void> {
  await context.openSerial();
  const { stage } = context.spool.record;
  const message = `the agent restarted in stage ${stage ?? 'prepare'}`;
  context.note(message);
  if (stage !== null && stage !== 'restore') context.emit({ type: 'stage', stage, status: 'failed', detail: message });
  await restoreAndFinish(context, { class: 'infrastructure', stage, message, signature: null });
}

async function runStage(
  context: AttemptContext,
  stage: Stage,
  work: (context: AttemptContext) => Promise<string>,
): Promise<Failure | null> {
  context.spool.updateRecord({ stage });
  context.emit({ type: 'stage', stage, status: 'started', detail: null });
  const at = performance.now();
  try {
    context.signal.throwIfAborted();
    const detail = await work(context);
    context.note(`${stage}: done in ${formatSeconds(performance.now() - at)}: ${detail}`);
    context.emit({ type: 'stage', stage, status: 'passed', detail });
    return null;
  } catch (error) {
    // Whatever broke because the signal was aborted, the signal's reason is the cause.
    const cause: unknown = context.signal.aborted ? context.signal.reason : error;
    if (cause instanceof AgentStopping) throw cause;
    const failure = failureOf(cause, stage);
    context.note(
      `${stage}: failed after ${formatSeconds(performance.now() - at)}: ${failure.class}: ${failure.message}`,
    );
    context.emit({ type: 'stage', stage, status: 'failed', detail: failure.message.slice(0, 2000) });
    // The others must not wait while this machine is restored.
    context.meetings?.giveUp(`has failed: ${failure.message}`);
    return failure;
  }
}

async function restoreAndFinish(context: AttemptContext, failure: Failure | null): Promise<void> {
  let restored: boolean | null = true;
  if (context.spool.record.touched) {
    context.spool.updateRecord({ stage: 'restore' });
    context.emit({ type: 'stage', stage: 'restore', status: 'started', detail: null });
    const at = performance.now();
    const outcome = await restore(context);
    restored = outcome.restored;
    const how = restored === null ? 'left to the attempt that has the machine' : restored ? 'done' : 'failed';
    context.note(`restore: ${how} in ${formatSeconds(performance.now() - at)}: ${outcome.detail}`);
    const status = restored === null ? 'skipped' : restored ? 'passed' : 'failed';
    context.emit({ type: 'stage', stage: 'restore', status, detail: outcome.detail });
  } else if (context.distrust !== null) {
    context.note(`restore: nothing was changed on the machine, but ${context.distrust}`);
    context.emit({ type: 'stage', stage: 'restore', status: 'failed', detail: context.distrust });
    context.emitFarmResult('restore', {
      status: 'fail',
      reason: context.distrust,
      durationMs: null,
      signature: null,
      log: null,
    });
    context.connection.leave();
  } else {
    context.note('restore: nothing was changed on the machine');
    context.emit({ type: 'stage', stage: 'restore', status: 'skipped', detail: 'nothing was changed on the machine' });
    context.connection.leave();
  }
  if (context.distrust !== null && restored === true) restored = false;
  await context.serial.stop();
  await placeCalls(context);
  const { fenceSeen } = context.guard;
  const seen = fenceSeen === null ? {} : { fenceSeen };
  context.emit({ type: 'finished', failure, restored, ...seen, lineCounts: context.spool.lineCounts() });
}
