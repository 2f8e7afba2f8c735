import {
  FAILURE_POLICY,
  FailureClass,
  isKnownNow,
  sidesOfAttempt,
  sidesText,
  Verdict,
  VERDICT_TABLE,
  type AttemptDetail,
  type AttemptSummary,
  type FailureMemory,
  type HardwareAlarmView,
  type JobView,
} from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { EXIT_MEANING, UsageError } from '../exit-codes.js';
import { jobLine } from '../render/run.js';
import { shortId, verdictText } from '../render/text.js';
import { findId } from '../short-id.js';

/** Results that are named before they are only counted. */
const RESULTS_SHOWN = 20;

/** What a verdict or a class of failure means, why the jobs of a run wait, or what became of an attempt. */
export async function explain(context: Context, what: string): Promise<Answer> {
  const verdict = Verdict.safeParse(what);
  if (verdict.success) return explainVerdict(verdict.data);
  const failure = FailureClass.safeParse(what);
  if (failure.success) return explainFailure(failure.data);
  if (!/^[0-9a-fA-F-]+$/.test(what)) {
    const words = [...Verdict.options, ...FailureClass.options].join(', ');
    throw new UsageError(`"${what}" is neither an id of a run or an attempt, nor one of ${words}`);
  }
  const { kind, id } = await findId(context.api, what, ['run', 'attempt']);
  return kind === 'run' ? explainRun(context, id) : explainAttempt(context, id);
}

function explainVerdict(verdict: Verdict): Answer {
  const { icon, label, help, conclusive, exitCode } = VERDICT_TABLE[verdict];
  const about = conclusive ? 'It says something about the kernel.' : 'It says nothing about the kernel.';
  const meaning = EXIT_MEANING[(['done', 'findings', 'noStatement'] as const)[exitCode]];
  return {
    data: { kind: 'verdict', name: verdict, label, help, conclusive, exitCode },
    text: `${icon} ${label}: ${help}. ${about}\nExit code ${exitCode}, where it is the worst: ${meaning}`,
  };
}

function explainFailure(name: FailureClass): Answer {
  const { owner, retries, finding, help } = FAILURE_POLICY[name];
  const retried = retries === 0 ? 'It is not tried again' : `It is tried again ${retries === 1 ? 'once' : 'twice'}`;
  const blame = finding ? 'it counts as a finding' : 'it says nothing about the kernel';
  return {
    data: { kind: 'failure', name, owner, retries, finding, help },
    text: `${name}: ${help}\n${retried}; ${blame}. To be looked at by: ${owner}.`,
  };
}

async function explainRun({ api, colour }: Context, id: string): Promise<Answer> {
  const run = await api.call('getRun', { params: { run: id } });
  const jobs = run.jobViews.map((job) => ({
    id: job.id,
    kind: job.kind,
    machine: job.machine,
    build: job.build,
    ...state(job),
  }));
  const lines = run.jobViews.flatMap((job) => [
    `${jobLine(job, colour, Date.now())}${attemptText(job)}`,
    ...helpOf(job).map((text) => `  ${text}`),
  ]);
  const head = `run ${shortId(run.id)} ${run.name}: ${run.state}, ${run.jobs.ended} of ${run.jobs.total} jobs ended`;
  const suspects = [...new Map(run.suspects.map((each) => [each.machine, suspectText(each)])).values()];
  const worst = run.verdict === null ? [] : [`${verdictText(run.verdict, colour)}: ${VERDICT_TABLE[run.verdict].help}`];
  return {
    data: { kind: 'run', id: run.id, name: run.name, state: run.state, verdict: run.verdict, jobs },
    text: [head, ...worst, ...suspects, ...lines].join('\n'),
  };
}

/** The newest attempt, for `logs`, `explain` and `retry`. */
function attemptText({ attempts }: JobView): string {
  const id = attempts.at(-1)?.id;
  return id === undefined ? '' : `  [attempt ${shortId(id)}]`;
}

/** Why a job waits, or how its newest attempt failed. */
function state(job: JobView): object {
  const failure = job.attempts.at(-1)?.failure ?? null;
  return { state: job.state, verdict: job.verdict, waiting: job.waiting, failure };
}

function helpOf(job: JobView): string[] {
  return job.attempts.slice(-1).flatMap(failureHelp);
}

const failureHelp = ({ failure }: Pick<AttemptSummary, 'failure'>): string[] =>
  failure === null ? [] : [failure.help];

async function explainAttempt({ api, colour }: Context, id: string): Promise<Answer> {
  const attempt = await api.call('getAttempt', { params: { attempt: id } });
  const wrong = attempt.results.filter(({ verdict }) => VERDICT_TABLE[verdict].wrong);
  const { failure } = attempt;
  const isFailed = failure !== null && FAILURE_POLICY[failure.class].tone === 'bad';
  const { alarms } = await api.call('listAttemptAlarms', { params: { attempt: id } });
  const memory = isFailed ? await api.call('getFailure', { params: { attempt: id }, query: {} }) : null;
  const data = { kind: 'attempt', id, run: attempt.run, state: attempt.state, failure, memory, wrong, alarms };
  return { data, text: describeAttempt(attempt, memory, wrong, colour, alarms) };
}

/** Whether the failure was seen before, and what people know of it. */
function memoryText({ earlier, before, known }: FailureMemory): string {
  const seen =
    before === null
      ? 'new: not seen before this run'
      : `seen ${earlier} ${earlier === 1 ? 'time' : 'times'} before, last ${before.at} in ${before.run.name}`;
  return isKnownNow(known, Date.now()) ? `${seen}; known: ${known?.reason ?? ''}` : seen;
}

const suspectText = ({ machine, reason, at }: AttemptDetail['suspects'][number]): string =>
  `suspect: ${machine} failed a health check at ${at} (${reason}), after this ran`;

function describeAttempt(
  attempt: AttemptDetail,
  memory: FailureMemory | null,
  wrong: AttemptDetail['results'],
  colour: boolean,
  alarms: readonly HardwareAlarmView[],
): string {
  const { failure, results } = attempt;
  const sides = sidesOfAttempt(attempt);
  const place = sides === null ? `${attempt.machine ?? 'build'} / ${attempt.build}` : sidesText(sides);
  const whose = failure?.role === undefined ? '' : ` of ${failure.role}`;
  const stage = failure?.stage == null ? '' : ` in the stage ${failure.stage}`;
  const lines = [
    `attempt ${shortId(attempt.id)} of run ${attempt.run.name}, ${place}: ${attempt.state}`,
    ...(failure === null ? [] : [`${failure.class}${whose}${stage}: ${failure.message}`, `  ${failure.help}`]),
    ...(memory === null ? [] : [`  ${memoryText(memory)}`]),
    ...attempt.suspects.map(suspectText),
    ...alarms.map(
      ({ severity, title, device, times }) =>
        `hardware alarm (${severity}): ${title}${device === null ? '' : ` of ${device}`}${times === 1 ? '' : `, ${times} times`}`,
    ),
    ...wrong.slice(0, RESULTS_SHOWN).map(({ verdict, suite, test, role, reason }) => {
      return `${verdictText(verdict, colour)}  ${sides === null ? '' : `${role} `}${suite}/${test}: ${reason ?? VERDICT_TABLE[verdict].help}`;
    }),
  ];
  if (wrong.length > RESULTS_SHOWN) lines.push(`… and ${wrong.length - RESULTS_SHOWN} more`);
  if (wrong.length === 0 && failure === null) lines.push(`no result needs a look; there are ${results.length}`);
  return lines.join('\n');
}
