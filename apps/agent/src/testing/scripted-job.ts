import { join } from 'node:path';
import type { Assignment, AttemptEvent, LogStream, TestResult } from '@peerlab/contracts';
import { FAKE_PACE, type FakeLab } from '../fake/fake-lab.js';
import { AttemptContext, type TestWork } from '../job/attempt-context.js';
import type { MachineRecords } from '../job/machine-record.js';
import type { Pace } from '../job/pace.js';
import { runTestJob } from '../job/test-job.js';
import { AttemptSpool } from '../spool/attempt-spool.js';

const LINES_MAX = 100_000;
const BYTES_MAX = 1e9;

/** How a job on a machine on script ended. */
export interface EndedJob {
  results: TestResult[];
  failure: Extract<AttemptEvent, { type: 'finished' }>['failure'];
  lines: (stream: LogStream) => string[];
  /** The same as one text. */
  text: (stream: LogStream) => string;
}

interface Job {
  assignment: Assignment & { work: TestWork };
  pace?: Pace;
  records?: MachineRecords;
}

/** Runs a job of the lab to its end, with its spool in `folder` and a lease that lasts. */
export async function runScriptedJob(
  lab: FakeLab,
  folder: string,
  { assignment, pace = FAKE_PACE, records }: Job,
): Promise<EndedJob> {
  const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const lease = { check: () => undefined };
  const { signal } = new AbortController();
  const { work } = assignment;
  await runTestJob(
    new AttemptContext(assignment, work, lab.machine, lab.bundles, spool, pace, signal, lease, records ?? null),
  );
  const events = spool
    .file('events')
    .read(0, LINES_MAX, BYTES_MAX)
    .flatMap((entry) => ('event' in entry ? [entry.event] : []));
  const last = events.at(-1);
  const lines = (stream: LogStream): string[] =>
    spool
      .file(stream)
      .read(0, LINES_MAX, BYTES_MAX)
      .flatMap((entry) => ('text' in entry ? [entry.text] : []));
  return {
    results: events.flatMap((event) => (event.type === 'result' ? [event.result] : [])),
    failure: last?.type === 'finished' ? last.failure : null,
    lines,
    text: (stream) => lines(stream).join('\n'),
  };
}
