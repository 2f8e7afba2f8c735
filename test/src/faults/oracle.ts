import type { FaultFarm } from './fault-farm.js';
import { differenceFrom, gapOf } from './gaps.js';
import { lateWork } from './late-work.js';
import type { Truth } from './lab.js';
import type { AttemptRow, Evidence, Finding, LeaseRow, LineRow, ResultRow, StreamRow } from './evidence.js';
import type { Performance } from './perform.js';
import { takeRecording } from './trace-recorder.js';
import { explainByModel } from './traces.js';

/** One promise that was not kept. */
/** Lines that the lab's kernels print all the time; each is printed only once. */
const isMark = (line: string): boolean => / says \d+$/.test(line);
/** With it the agent begins the log of another boot. */
const KERNEL_HEAD = /^# kernel \S+, boot (\S+)$/;

/** Reads all that Postgres holds of the schedule's runs, and what the lab knows of the same time. */
export async function gather(farm: FaultFarm, { runIds, truthFrom }: Performance): Promise<Evidence> {
  const attempts = await farm.query<AttemptRow>(
    `select p.id, p.attempt_id, p.role, j.roles, p.machine, p.fence, p.nonce, p.state, p.failure, p.restored, p.revoked_at is not null as revoked,
       t.job_id, t.number
     from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id
     where j.run_id = any($1) order by p.fence`,
    [runIds],
  );
  const ids = attempts.map(({ id }) => id);
  const lines = new Map<string, LineRow[]>();
  const stored = await farm.query<LineRow & { attempt_id: string; stream: string }>(
    `select participant_id as attempt_id, stream, seq, text from log_line where participant_id = any($1)
     order by participant_id, stream, seq`,
    [ids],
  );
  for (const { attempt_id, stream, ...line } of stored) {
    const key = `${attempt_id} ${stream}`;
    const list = lines.get(key);
    if (list === undefined) lines.set(key, [line]);
    else list.push(line);
  }
  const consoles = new Map<string, string[]>();
  for (const name of farm.lab.machines.keys()) consoles.set(name, await farm.consoleOf(name));
  return {
    attempts,
    leases: await farm.query<LeaseRow>(
      `select machine, fence, participant_id as attempt_id, extract(epoch from acquired_at)::float8 * 1000 as acquired_ms,
         extract(epoch from released_at)::float8 * 1000 as released_ms
       from lease where machine is not null order by machine, fence`,
    ),
    streams: await farm.query<StreamRow>(
      'select participant_id as attempt_id, stream, next, expected from stream where participant_id = any($1)',
      [ids],
    ),
    results: await farm.query<ResultRow>(
      `select p.id as attempt_id, x.suite, x.test, x.status, x.verdict, x.log
       from result x join participant p on p.attempt_id = x.attempt_id and p.role = x.role where p.id = any($1)`,
      [ids],
    ),
    jobs: await farm.query('select id, state, verdict, machine, run_id from job where run_id = any($1)', [runIds]),
    runs: await farm.query(
      `select extract(epoch from created_at)::float8 * 1000 as created_ms,
         extract(epoch from ended_at)::float8 * 1000 as ended_ms
       from run where id = any($1) order by created_at`,
      [runIds],
    ),
    truth: farm.lab.truth.slice(truthFrom),
    changes: await takeRecording(farm),
    lines,
    consoles,
  };
}

/** Everything in Postgres that is not as it happened, or not as it was promised. */
export function judge(evidence: Evidence, performance: Performance): Finding[] {
  return [
    ...performance.problems.map((detail) => ({ promise: 'everything recovers by itself', detail })),
    ...everyRunEnds(evidence),
    ...alwaysBusy(evidence, performance),
    ...leasesAreExclusive(evidence),
    ...claimsAreWhole(evidence),
    ...lateWork(evidence, performance),
    ...explainByModel(evidence, performance),
    ...streamsAreWhole(evidence),
    ...consoleIsExact(evidence),
    ...kernelLogIsExact(evidence),
    ...resultsAreTrue(evidence),
    ...machinesAreRestored(evidence, performance),
  ];
}

function everyRunEnds({ attempts, jobs }: Evidence): Finding[] {
  const promise = 'every run ends';
  return [
    ...jobs
      .filter(({ state, verdict }) => state !== 'ended' || verdict === null)
      .map(({ id, state, verdict }) => ({ promise, detail: `job ${id} is ${state} with verdict ${verdict}` })),
    ...attempts
      .filter(({ state }) => state !== 'ended')
      .map(({ id, state }) => ({ promise, detail: `attempt ${id} is ${state}` })),
    ...(jobs.length === 0 ? [{ promise, detail: 'there is no job at all' }] : []),
  ];
}

/** Judges the schedule and not the farm: faults must strike while work is going on. */
function alwaysBusy({ runs }: Evidence, { busyUntilMs }: Performance): Finding[] {
  if (busyUntilMs === null) return [];
  let busyTo = runs[0]?.created_ms ?? 0;
  const findings: Finding[] = [];
  for (const { created_ms, ended_ms } of [...runs, { created_ms: busyUntilMs, ended_ms: busyUntilMs }]) {
    if (created_ms > busyTo) {
      const detail = `none was for ${Math.round(created_ms - busyTo)} virtual ms`;
      findings.push({ promise: 'some run is in flight at any time of a long schedule', detail });
    }
    busyTo = Math.max(busyTo, ended_ms ?? Infinity);
  }
  return findings;
}

function leasesAreExclusive({ leases }: Evidence): Finding[] {
  const promise = 'a machine has one lease at a time, and fences grow';
  return leases.flatMap((lease, index) => {
    const before = leases[index - 1];
    if (before === undefined || before.machine !== lease.machine) return [];
    if (before.released_ms === null || before.released_ms > lease.acquired_ms) {
      return [{ promise, detail: `${lease.machine}: fence ${lease.fence} was given before ${before.fence} was free` }];
    }
    return [];
  });
}

/** Of a job with several roles: the leases of an attempt were given in one transaction, to all roles. */
function claimsAreWhole({ attempts, changes }: Evidence): Finding[] {
  const promise =
    'an attempt has all machines of its roles or none, and its failure is that of one that failed by itself';
  const claimed = new Map<unknown, number>();
  for (const { tx, table, row } of changes) {
    if (table === 'participant' && !claimed.has(row['id'])) claimed.set(row['id'], tx);
  }
  const byAttempt = new Map<string, AttemptRow[]>();
  for (const part of attempts) byAttempt.set(part.attempt_id, [...(byAttempt.get(part.attempt_id) ?? []), part]);
  return [...byAttempt].flatMap(([id, parts]) => {
    const [first] = parts;
    if (first === undefined || first.roles === 1) return [];
    const transactions = new Set(parts.map((part) => claimed.get(part.id)));
    const failures = parts.flatMap(({ failure }) => failure?.class ?? []);
    return [
      ...(parts.length === first.roles
        ? []
        : [{ promise, detail: `attempt ${id} has ${parts.length} of ${first.roles}` }]),
      ...(transactions.size === 1
        ? []
        : [{ promise, detail: `attempt ${id} was claimed in ${transactions.size} transactions` }]),
      ...(failures.length > 0 && failures.every((each) => each === 'peer')
        ? [{ promise, detail: `attempt ${id}: each of its participants blames the other one` }]
        : []),
    ];
  });
}

function streamsAreWhole({ attempts, streams, lines }: Evidence): Finding[] {
  const promise = 'every line that was produced is stored once and in order';
  const byId = new Map(attempts.map((attempt) => [attempt.id, attempt]));
  const reported = new Set(
    streams.filter(({ stream, next }) => stream === 'events' && next > 0).map((row) => row.attempt_id),
  );
  return streams.flatMap(({ attempt_id, stream, next, expected }) => {
    if (stream === 'events') return [];
    const name = `attempt ${attempt_id} (fence ${byId.get(attempt_id)?.fence}) ${stream}`;
    const stored = lines.get(`${attempt_id} ${stream}`) ?? [];
    const wrong = stored.findIndex(({ seq }, index) => seq !== index);
    return [
      ...(stored.length === next
        ? []
        : [{ promise, detail: `${name}: ${stored.length} lines, the counter says ${next}` }]),
      ...(wrong === -1 ? [] : [{ promise, detail: `${name}: line ${wrong} has number ${stored[wrong]?.seq}` }]),
      // Every attempt that said anything says in the end how much there was, also when it lost its lease.
      ...(expected === null && next > 0 && reported.has(attempt_id)
        ? [{ promise, detail: `${name}: the agent never said how many lines there are` }]
        : []),
      ...(expected === null || expected === next
        ? []
        : [{ promise, detail: `${name}: ${next} lines are stored, the agent produced ${expected}` }]),
    ];
  });
}

/** The serial stream of an attempt is a piece of the console without a hole, and has all that its kernels said. */
function consoleIsExact({ attempts, lines, consoles, truth }: Evidence): Finding[] {
  const promise = 'the console of an attempt is stored exactly as the machine wrote it';
  return attempts.flatMap((attempt) => {
    const name = `attempt ${attempt.id} (fence ${attempt.fence}, ${attempt.failure?.class ?? 'no failure'})`;
    const stored = (lines.get(`${attempt.id} serial`) ?? []).map(({ text }) => text);
    const findings: Finding[] = [];
    const difference = differenceFrom(consoles.get(attempt.machine) ?? [], stored, isMark);
    if (difference !== null) findings.push({ promise, detail: `${name}: ${difference}` });
    if (attempt.restored !== true || stored.some((text) => gapOf(text) !== null)) return findings;
    const said = truth.flatMap(({ nonce, event }) =>
      nonce === attempt.nonce && event.type === 'console' ? event.lines.filter(isMark) : [],
    );
    const kept = new Set(stored);
    const missing = said.filter((line) => !kept.has(line));
    if (missing.length > 0) {
      findings.push({
        promise,
        detail: `${name}: ${missing.length} of ${said.length} lines of its kernel are missing`,
      });
    }
    return findings;
  });
}

/** Records of the kernel stream are those that the kernel made, from the first one on, each once. */
function kernelLogIsExact({ attempts, lines, truth }: Evidence): Finding[] {
  const promise = 'the kernel log of an attempt has every record once, without a hole';
  return attempts.flatMap((attempt) => {
    const stored = (lines.get(`${attempt.id} kernel`) ?? []).map(({ text }) => text);
    const heads = stored.flatMap((text, index) => (KERNEL_HEAD.test(text) ? [index] : []));
    return heads.flatMap((head, index) => {
      const boot = KERNEL_HEAD.exec(stored[head] ?? '')?.[1];
      const made = truth.flatMap(({ bootId, event }) =>
        bootId === boot && event.type === 'kmsg' ? [event.record.slice(event.record.indexOf(';') + 1)] : [],
      );
      const records = stored.slice(head + 1, heads[index + 1]).map((text) => text.replace(/^\[ *[\d.]+\] /, ''));
      const difference = differenceFrom(made, records, 'start');
      return difference === null
        ? []
        : [{ promise, detail: `attempt ${attempt.id} (fence ${attempt.fence}), boot ${boot}: ${difference}` }];
    });
  });
}

function resultsAreTrue(evidence: Evidence): Finding[] {
  const { attempts, results, truth, jobs } = evidence;
  const promise = 'a result is what the machine said, with all that it printed';
  const findings: Finding[] = [];
  for (const attempt of attempts) {
    const own = truth.filter(({ nonce, machine }) => machine === attempt.machine && nonce === attempt.nonce);
    for (const result of results.filter(({ attempt_id, suite }) => attempt_id === attempt.id && suite !== 'farm')) {
      const name = `attempt ${attempt.id} (fence ${attempt.fence}) ${result.test}`;
      if (result.status !== 'pass' && result.status !== 'fail') continue;
      const said = own.flatMap(({ event }) =>
        event.type === 'result' && event.test === result.test ? [event.ok] : [],
      );
      const exits = own.some(
        ({ event }) => event.type === 'test' && event.test === result.test && event.act === 'exit',
      );
      if (result.status === 'pass' && !said.includes(true))
        findings.push({ promise, detail: `${name}: passed, but the machine never said so` });
      if (result.status === 'fail' && !said.includes(false) && !exits)
        findings.push({ promise, detail: `${name}: failed, but the machine never said so` });
      if (result.status === 'pass') findings.push(...outputIsWhole(evidence, attempt, result, own, promise));
    }
  }
  for (const job of jobs.filter(({ verdict }) => verdict === 'pass')) {
    const lastNumber = Math.max(...attempts.filter(({ job_id }) => job_id === job.id).map(({ number }) => number));
    const parts = attempts.filter(({ job_id, number }) => job_id === job.id && number === lastNumber);
    for (const last of parts.length === 0 ? [undefined] : parts) {
      const booted = truth.some(
        ({ nonce, event }) => nonce === last?.nonce && event.type === 'up' && event.kernel === 'candidate',
      );
      const passed = results.filter(
        ({ attempt_id, suite, verdict }) => attempt_id === last?.id && suite !== 'farm' && verdict === 'pass',
      );
      if (last === undefined || last.failure !== null || !booted || passed.length === 0) {
        findings.push({
          promise: 'no pass without proof',
          detail: `job ${job.id} passed; kernel booted: ${booted}, tests passed: ${passed.length}`,
        });
      }
    }
  }
  return findings;
}

/** What the test printed lies in the range of lines that its result names, in order and once. */
function outputIsWhole(
  { lines }: Evidence,
  attempt: AttemptRow,
  { test, log }: ResultRow,
  own: readonly Truth[],
  promise: string,
): Finding[] {
  if (log === null) return [{ promise, detail: `attempt ${attempt.id} ${test} passed and names no lines` }];
  const stored = (lines.get(`${attempt.id} ${log.stream}`) ?? [])
    .slice(log.fromSeq, log.toSeq + 1)
    .map(({ text }) => text);
  const printed = own.flatMap(({ event }) => (event.type === 'test' && event.test === test ? [event.output] : []));
  const whole = printed.some((output) => {
    const first = stored.indexOf(output[0] ?? '');
    return first !== -1 && output.every((line, index) => stored[first + index] === line);
  });
  if (whole) return [];
  const seen = stored.filter((line) => !printed.some((output) => output.includes(line)));
  return [
    {
      promise,
      detail:
        `attempt ${attempt.id} (fence ${attempt.fence}) on ${attempt.machine} ${test}: its output, printed ${printed.length} times ` +
        `(${printed.map((output) => `${output[0]} to ${output.at(-1)}`).join('; ')}), is not in lines ${log.fromSeq}–${log.toSeq} ` +
        `of ${log.stream}: ${stored.length} stored, others among them: ${seen.slice(0, 6).join(' | ')}`,
    },
  ];
}

function machinesAreRestored({ attempts }: Evidence, { mended, leftovers }: Performance): Finding[] {
  const promise = 'every machine is restored or quarantined';
  const findings = leftovers.map(({ machine, what }) => ({ promise, detail: `${machine}: ${what.join(', ')}` }));
  const quarantined = new Set(mended.map(({ machine }) => machine));
  for (const { id, machine, restored } of attempts) {
    if (restored === false && !quarantined.has(machine)) {
      findings.push({ promise, detail: `attempt ${id} left ${machine} as it was, and it is not quarantined` });
    }
  }
  return findings;
}
