import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MUTANT_RESULTS_FILE, MutantResults, type Mutant } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, startFakeLab, type FakeLab } from '../fake/fake-lab.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

const mutant = (number: number, id: string, state: Mutant['state'] = 'built'): Mutant => ({
  number,
  id: `${id}0000000`,
  path: 'mm/hmm.c',
  line: number,
  kind: 'negate',
  function: 'walk',
  what: 'negated',
  state,
});
/** 1 is noticed by F01, 2 by no test, 3 is not reached, 4 takes the machine down, 5 hangs in its program. */
const MUTANTS = [
  mutant(1, 'a'),
  mutant(2, 'b'),
  mutant(3, 'c'),
  mutant(4, 'd'),
  mutant(5, 'e'),
  mutant(6, 'f', 'refused'),
];
const REACHED: Record<string, number[]> = { F01: [1, 2, 4, 6], F02: [2, 5] };

let folder: string;
let lab: FakeLab;
let spool: AttemptSpool;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'try-mutants-'));
});
afterEach(async () => {
  await lab.fake.stop();
  spool.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs an attempt of a kernel with these mutants. */
async function attempt(list: unknown, { minutes = 5, isWell = (): boolean => true, breaks = 0 } = {}) {
  let left = breaks;
  lab = await startFakeLab(folder, {
    more: { 'mutants.json': Buffer.from(JSON.stringify(list)) },
    tests: [
      { id: 'F01', act: 'pass' },
      { id: 'F02', act: 'pass' },
    ],
  });
  const asked: string[] = [];
  lab.fake.answers.set('mutant-test', (channel, args) => {
    const [test, number] = [String(args['test']), Number(args['mutant'])];
    asked.push(`${number} ${test}`);
    if (number === 4) return lab.fake.oops('hmm_walk');
    if (number === 2 && left-- > 0) return lab.fake.ssh.dropAll();
    const fails = (number === 1 && test === 'F01') || (number === 0 && !isWell());
    const result = number === 5 ? '' : fails ? `# FAILED t.c:1: data differs\nnot ok 1 ${test}\n` : `ok 1 ${test}\n`;
    channel.write(`@reached ${(REACHED[test] ?? []).join(',')},\n@kernel\n@output\n1..1\n${result}`);
    channel.exit(0);
  });
  // Begins with the first mutant.
  const assignment = lab.assign('00000000-0000-4000-8000-000000000001');
  const work = { ...assignment.work, mutants: { minutes } };
  spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const { signal } = new AbortController();
  const lease = { check: () => undefined };
  await runTestJob(
    new AttemptContext({ ...assignment, work }, work, lab.machine, lab.bundles, spool, FAKE_PACE, signal, lease),
  );
  const events = spool
    .file('events')
    .read(0, 10_000, 1e9)
    .flatMap((entry) => ('event' in entry ? [entry.event] : []));
  const [file] = events.flatMap((event) => (event.type === 'file' ? [event.file] : []));
  const [failure = null] = events.flatMap((event) => (event.type === 'finished' ? [event.failure] : []));
  const results = events.flatMap((event) => (event.type === 'result' ? [event.result] : []));
  const stored = file === undefined ? null : MutantResults.parse(JSON.parse(String(lab.stored.get(file.sha256))));
  return { asked, file, failure, results, stored };
}

describe('an attempt of a kernel that carries mutants', () => {
  it('tries each with the tests that come to it, and none of them is a failure of the run', async () => {
    const { asked, file, failure, results, stored } = await attempt({ schema: 1, total: 6, mutants: MUTANTS });
    expect(file).toMatchObject({ suite: 'farm', name: MUTANT_RESULTS_FILE });
    expect(stored?.isComplete).toBe(true);
    const found = Object.fromEntries(
      stored?.results.map(({ id, verdict, test, how }) => [id[0], [verdict, test, how]]) ?? [],
    );
    expect(found).toEqual({
      a: ['killed', 'p2p-functional:F01', 'FAILED t.c:1: data differs'],
      b: ['alive', null, null],
      c: ['not-reached', null, null],
      d: ['killed', 'p2p-functional:F01', expect.stringContaining('crashed')],
      e: ['killed', 'p2p-functional:F02', 'its program ended without a result'],
    });
    // Mapped first; after a kill the same test has to pass again.
    expect(asked.slice(0, 2)).toEqual(['0 F01', '0 F02']);
    expect(asked.filter((each) => each === '6 F01')).toEqual([]);
    expect(failure).toBeNull();
    expect(results.map(({ suite, status }) => [suite, status])).not.toContainEqual(['p2p-functional', 'fail']);
    expect(results.filter(({ status }) => status === 'crash')).toEqual([]);
  });

  it('boots the machine again when a test does not pass any more without the mutant', async () => {
    let kills = 0;
    const { asked, stored } = await attempt(
      { schema: 1, total: 2, mutants: MUTANTS.slice(0, 2) },
      // Mapping asks twice; the third time is after the kill.
      { isWell: () => ++kills !== 3 },
    );
    expect(asked.slice(0, 4)).toEqual(['0 F01', '0 F02', '1 F01', '0 F01']);
    expect(asked.slice(4).sort()).toEqual(['2 F01', '2 F02']);
    expect(lab.fake.resets).toBe(1);
    expect(stored?.results.map(({ verdict }) => verdict)).toEqual(['killed', 'alive']);
  });

  it('takes a connection that breaks for nothing that a mutant did', async () => {
    const { asked, stored, failure } = await attempt(
      { schema: 1, total: 1, mutants: MUTANTS.slice(1, 2) },
      { breaks: 1 },
    );
    // The quicker test comes first, whichever that was; the one whose connection broke is asked again.
    const [first, again, last] = asked.slice(2);
    expect(asked.slice(0, 2)).toEqual(['0 F01', '0 F02']);
    expect([again, asked.length]).toEqual([first, 5]);
    expect([String(first), String(last)].sort()).toEqual(['2 F01', '2 F02']);
    expect(stored?.results.map(({ verdict }) => verdict)).toEqual(['alive']);
    expect([failure, lab.fake.boots]).toEqual([null, 2]);
  });

  it('stops when its time is up, and stores what it knows', async () => {
    const { stored, failure, asked } = await attempt({ schema: 1, total: 6, mutants: MUTANTS }, { minutes: 1e-9 });
    expect([asked, failure]).toEqual([[], null]);
    expect(stored).toEqual({ schema: 1, isComplete: false, results: [] });
  });

  it('refuses a list that is none', async () => {
    const { failure, stored } = await attempt({ schema: 1, total: 1, mutants: [{ number: -1 }] });
    expect(failure).toMatchObject({ class: 'request', message: expect.stringContaining('mutants.json') });
    expect(stored).toBeNull();
  });
});
