import { z } from 'zod';

/**
 * What a grid cell shows, worst first. Skip comes last: a skipped test says nothing beside a test that ran. This order
 * is the only one: `rank` in VERDICT_TABLE is the place in it.
 */
export const VERDICTS = [
  'crash',
  'fail',
  'bounced',
  'tainted',
  'flaky',
  'infra',
  'no-result',
  'canceled',
  'not-reached',
  'pass',
  'skip',
] as const;
export const Verdict = z.enum(VERDICTS);
export type Verdict = z.infer<typeof Verdict>;

/** Exit code of `npm start -- --once` and `peerlab watch`: 0 as expected, 1 findings, 2 nothing is known. The CLI's others begin at 64. */
export type VerdictExitCode = 0 | 1 | 2;

/** What is known about a verdict: how it looks and what it means for a summary. */
export interface VerdictRow {
  /** One character, unique. Stored in packed grids; never change it. */
  letter: string;
  icon: string;
  label: string;
  help: string;
  /** Place in VERDICTS: 0 is the worst. A summary shows the verdict with the lowest rank. */
  rank: number;
  /** Whether it tells something about the kernel: false when the lab failed or the test did not run. */
  conclusive: boolean;
  /** Whether someone has to look at this cell itself. A test that was not reached points at another cell. */
  wrong: boolean;
  /** Whether the whole attempt was disturbed: what else it brought is not compared with other boots. */
  spoilsBoot: boolean;
  exitCode: VerdictExitCode;
}

/**
 * The one table of verdicts. Grid, badges, CLI, exit codes, SQL and every list of verdicts are derived from it.
 */
export const VERDICT_TABLE: Readonly<Record<Verdict, Readonly<VerdictRow>>> = {
  crash: {
    letter: 'X',
    icon: '✸',
    label: 'crash',
    help: 'the kernel crashed in this test; see the signature',
    rank: 0,
    conclusive: true,
    wrong: true,
    spoilsBoot: false,
    exitCode: 1,
  },
  fail: {
    letter: 'F',
    icon: '✗',
    label: 'fail',
    help: 'the test failed',
    rank: 1,
    conclusive: true,
    wrong: true,
    spoilsBoot: false,
    exitCode: 1,
  },
  bounced: {
    letter: 'B',
    icon: '↩',
    label: 'bounced',
    help: 'data right, but it did not take the peer path, or nothing proves that it did',
    rank: 2,
    conclusive: true,
    wrong: true,
    spoilsBoot: false,
    exitCode: 1,
  },
  tainted: {
    letter: 'T',
    icon: '⚠',
    label: 'tainted',
    help: 'passed, with new warnings in the kernel log',
    rank: 3,
    conclusive: true,
    wrong: true,
    spoilsBoot: false,
    exitCode: 1,
  },
  flaky: {
    letter: '~',
    icon: '≈',
    label: 'flaky',
    help: 'passed and failed on the same kernel and hardware; summed up over several attempts',
    rank: 4,
    conclusive: true,
    wrong: true,
    spoilsBoot: false,
    exitCode: 1,
  },
  infra: {
    letter: 'I',
    icon: '⌁',
    label: 'infra',
    help: 'the lab failed; nothing is known about the kernel',
    rank: 5,
    conclusive: false,
    wrong: true,
    spoilsBoot: true,
    exitCode: 2,
  },
  'no-result': {
    letter: 'U',
    icon: '∅',
    label: 'no result',
    help: 'the suite could not be built or started, or ran no test; nothing is known about the kernel',
    rank: 6,
    conclusive: false,
    wrong: true,
    spoilsBoot: false,
    exitCode: 2,
  },
  canceled: {
    letter: 'C',
    icon: '⊘',
    label: 'canceled',
    help: 'canceled before it ended',
    rank: 7,
    conclusive: false,
    wrong: false,
    spoilsBoot: true,
    exitCode: 2,
  },
  'not-reached': {
    letter: 'N',
    icon: '…',
    label: 'not reached',
    help: 'a crash or a timeout came before it',
    rank: 8,
    conclusive: false,
    wrong: false,
    spoilsBoot: false,
    exitCode: 1,
  },
  pass: {
    letter: 'P',
    icon: '✓',
    label: 'pass',
    help: 'passed',
    rank: 9,
    conclusive: true,
    wrong: false,
    spoilsBoot: false,
    exitCode: 0,
  },
  skip: {
    letter: 'S',
    icon: '–',
    label: 'skip',
    help: 'skipped, with the reason given',
    rank: 10,
    conclusive: false,
    wrong: false,
    spoilsBoot: false,
    exitCode: 0,
  },
};

/** The verdict that a letter of VERDICT_TABLE stands for; any other letter for none. */
export const VERDICT_BY_LETTER: ReadonlyMap<string, Verdict> = new Map(
  VERDICTS.map((verdict) => [VERDICT_TABLE[verdict].letter, verdict]),
);

/**
 * What the machine said about one test. `timeout` = past its limit, the machine was reset; `no-result` = its suite could
 * not be built or started, or ran no test. What a machine lacks by its nature (a device) makes a `skip` instead.
 */
export const ResultStatus = z.enum(['pass', 'fail', 'skip', 'crash', 'timeout', 'not-reached', 'no-result']);
export type ResultStatus = z.infer<typeof ResultStatus>;
