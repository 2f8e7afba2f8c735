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
import type { TestBench } from './test-bench.js';

const STAGE_WORK: readonly [Exclude<Stage, 'restore'>, (bench: TestBench) => Promise<string>][] = [
  ['prepare', prepare],
  ['flash', flash],
  ['boot', boot],
  ['verify', verify],
  ['test', test],
  ['collect', collect],
];

/**
 * A whole test attempt up to its `finished` event. Rejects only with AgentStopping (the next start of
 * the agent takes over) or when the spool cannot be written.
 */
export async function runTestJob(bench: TestBench): Promise<void> {
  bench.note(
    `${bench.work.buildName} on ${bench.machine.name} (${bench.work.path.kind}), attempt ${bench.assignment.attemptId}`,
  );
  await bench.openSerial();
  let failure: Failure | null = null;
  for (const [stage, work] of STAGE_WORK) {
    failure = await runStage(bench, stage, work);
    if (failure !== null) break;
  }
  if (failure !== null) {
    for (const [stage] of STAGE_WORK.slice(STAGE_WORK.findIndex(([name]) => name === failure?.stage) + 1)) {
      bench.emit({ type: 'stage', stage, status: 'skipped', detail: `${failure.stage ?? 'an earlier stage'} failed` });
    }
  }
  await restoreAndFinish(bench, failure);
}

/** After a restart of the agent: what ran is lost, the machine is put back. */
export async function recoverTestJob(bench: TestBench): Promise<void> {
  await bench.openSerial();
  const { stage } = bench.spool.memory;
  const message = `the agent restarted in stage ${stage ?? 'prepare'}`;
  bench.note(message);
  if (stage !== null && stage !== 'restore') bench.emit({ type: 'stage', stage, status: 'failed', detail: message });
  await restoreAndFinish(bench, { class: 'infrastructure', stage, message, signature: null });
}

async function runStage(
  bench: TestBench,
  stage: Stage,
  work: (bench: TestBench) => Promise<string>,
): Promise<Failure | null> {
  bench.spool.remember({ stage });
  bench.emit({ type: 'stage', stage, status: 'started', detail: null });
  const at = performance.now();
  try {
    bench.signal.throwIfAborted();
    const detail = await work(bench);
    bench.note(`${stage}: done in ${formatSeconds(performance.now() - at)}: ${detail}`);
    bench.emit({ type: 'stage', stage, status: 'passed', detail });
    return null;
  } catch (error) {
    // Whatever broke because the signal was aborted, the signal's reason is the cause.
    const cause: unknown = bench.signal.aborted ? bench.signal.reason : error;
    if (cause instanceof AgentStopping) throw cause;
    const failure = failureOf(cause, stage);
    bench.note(`${stage}: failed after ${formatSeconds(performance.now() - at)}: ${failure.class}: ${failure.message}`);
    bench.emit({ type: 'stage', stage, status: 'failed', detail: failure.message.slice(0, 2000) });
    return failure;
  }
}

async function restoreAndFinish(bench: TestBench, failure: Failure | null): Promise<void> {
  let restored: boolean | null = true;
  if (bench.spool.memory.touched) {
    bench.spool.remember({ stage: 'restore' });
    bench.emit({ type: 'stage', stage: 'restore', status: 'started', detail: null });
    const at = performance.now();
    const outcome = await restore(bench);
    restored = outcome.restored;
    const how = restored === null ? 'left to the attempt that has the machine' : restored ? 'done' : 'failed';
    bench.note(`restore: ${how} in ${formatSeconds(performance.now() - at)}: ${outcome.detail}`);
    const status = restored === null ? 'skipped' : restored ? 'passed' : 'failed';
    bench.emit({ type: 'stage', stage: 'restore', status, detail: outcome.detail });
  } else if (bench.distrust !== null) {
    bench.note(`restore: nothing was changed on the machine, but ${bench.distrust}`);
    bench.emit({ type: 'stage', stage: 'restore', status: 'failed', detail: bench.distrust });
    bench.emitFarmResult('restore', {
      status: 'fail',
      reason: bench.distrust,
      durationMs: null,
      signature: null,
      log: null,
    });
    bench.host.leave();
  } else {
    bench.note('restore: nothing was changed on the machine');
    bench.emit({ type: 'stage', stage: 'restore', status: 'skipped', detail: 'nothing was changed on the machine' });
    bench.host.leave();
  }
  if (bench.distrust !== null && restored === true) restored = false;
  await bench.serial.stop();
  const { fenceSeen } = bench.guard;
  const seen = fenceSeen === null ? {} : { fenceSeen };
  bench.emit({ type: 'finished', failure, restored, ...seen, lineCounts: bench.spool.lineCounts() });
}
