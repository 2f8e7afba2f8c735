import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { insertEvidence, type SampleEvidence } from '@peerlab/controller/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from './commands.js';
import { EXIT } from './exit-codes.js';
import { runProgram } from './program.js';

const WORKING = 'name: cli\nbuilds:\n  - name: patched\n    series: [bundled]\n';
const BROKEN = 'name: cli\nbuilds:\n  - name: patched\n    sereis: [bundled]\n';

const CRASH = 'KASAN: slab-use-after-free Read in p2pvram_map';

let farm: TestFarm;
let evidence: SampleEvidence;
let folder: string;
/** A run that waits for its build. */
let waiting = '';

beforeAll(async () => {
  farm = await TestFarm.start();
  await farm.agent({ m1: 'BUS_ADDR' });
  evidence = await insertEvidence(farm.sql, 3);
  await farm.sql.run(
    `insert into crash (participant_id, key, title, type, severity, corrupted, stream, start_line, end_line, times, frames,
       taint, suite, test, at)
     values ($1, md5($2), $2, 'kasan', 'warning', false, 'serial', 3, 9, 1, '{p2pvram_map}', 'GW', 'p2p-functional',
       'alias_read', clock_timestamp())`,
    [evidence.attempt(1, 'dma-alias', 'BUS_ADDR'), CRASH],
  );
  waiting = (await farm.call('submitRun', { body: { yaml: WORKING } })).id;
  folder = await mkdtemp(join(tmpdir(), 'peerlab-cli-'));
  await writeFile(join(folder, 'good.yaml'), WORKING);
  await writeFile(join(folder, 'bad.yaml'), BROKEN);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await farm.stop();
});

/** A stream that keeps what is written, and breaks like a pipe without a reader after `most` writes. */
function sink(most = Infinity): Writable & { text: () => string } {
  const pieces: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(piece, _encoding, done) {
      if (pieces.length >= most) return done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      pieces.push(String(piece));
      done();
    },
  });
  return Object.assign(stream, { text: () => pieces.join('') });
}

async function peerlab(words: string[], { token = farm.userToken, stdin = '', stdout = sink() } = {}) {
  const stderr = sink();
  const env = { PEERLAB_URL: farm.server.url, PEERLAB_TOKEN: token, PEERLAB_STATE: folder };
  const input = (async function* () {
    yield await Promise.resolve(Buffer.from(stdin));
  })();
  const code = await runProgram(words, { stdin: input, stdout, stderr, env });
  return { code, out: stdout.text(), err: stderr.text() };
}

describe('exit codes', () => {
  it.each([
    ['no command', []],
    ['an unknown command', ['sumbit', 'x']],
    ['an unknown option', ['runs', '--all']],
    ['a missing argument', ['watch']],
    ['a number out of range', ['runs', '-n', '1000']],
    ['no number', ['runs', '-n', 'x']],
    ['an unknown stream', ['logs', 'abcd', '-s', 'video']],
    ['an unknown state of a machine', ['machines', 'set', 'm1', 'broken', '-r', 'why']],
    ['no reason', ['machines', 'drain', 'm1']],
    ['an id that nothing has', ['watch', '00000000']],
    ['no id', ['watch', 'nightly']],
    ['an id that is too short', ['watch', 'a']],
    ['an address that is none', ['--url', 'nowhere', 'runs']],
    ['a removal without --yes', ['retention', 'run']],
    ['an unknown template', ['templates', 'show', 'nothing']],
    ['an unknown word', ['explain', 'nothing']],
    ['a crash that no log has', ['crashes', 'show', 'KASAN: nothing']],
  ])('64 for %s', async (_what, words) => {
    const { code, out, err } = await peerlab(words);
    expect({ code, out }).toEqual({ code: EXIT.usage, out: '' });
    expect(err).not.toBe('');
  });

  it('65 for a run file that the farm refuses, submitted or checked', async () => {
    const file = join(folder, 'bad.yaml');
    const refused = await peerlab(['submit', file]);
    expect(refused.code).toBe(EXIT.badRunFile);
    expect(refused.err).toContain('did you mean "series"?');
    const checked = await peerlab(['submit', '--check', file]);
    expect(checked.code).toBe(EXIT.badRunFile);
    expect(checked.out).toContain(`${file}:4:5: unknown field "sereis" — did you mean "series"?`);
    expect((await peerlab(['submit', '--check', '-'], { stdin: WORKING })).code).toBe(EXIT.done);
  });

  it('66 for a file that cannot be read, 69 without a controller or what is named, 77 without a token', async () => {
    expect((await peerlab(['submit', join(folder, 'absent.yaml')])).code).toBe(EXIT.noInput);
    expect((await peerlab(['--token-file', join(folder, 'absent'), 'runs'])).code).toBe(EXIT.noInput);
    const away = await peerlab(['--url', 'http://127.0.0.1:1', 'runs']);
    expect(away.code).toBe(EXIT.unavailable);
    expect(away.err).toContain('--url or PEERLAB_URL');
    expect((await peerlab(['machines', 'drain', 'm9', '-r', 'why'])).code).toBe(EXIT.unavailable);
    const denied = await peerlab(['cancel', waiting], { token: 'plk_user_wrong' });
    expect(denied.code).toBe(EXIT.noPermission);
    expect(denied.err).toContain('--token-file or PEERLAB_TOKEN');
  });
});

describe('ids', () => {
  it('are taken by their beginning, and a beginning of several is answered with all of them', async () => {
    expect((await peerlab(['explain', waiting.slice(0, 8)])).out).toContain('waiting for the build patched');
    expect((await peerlab(['explain', waiting.toUpperCase()])).code).toBe(0);
    const twins = ['abcdabcd-0000-4000-8000-000000000001', 'abcdabcd-0000-4000-8000-000000000002'];
    for (const twin of twins) {
      await farm.sql.run(
        `insert into run (id, name, spec, state, priority, trigger_kind, trigger_detail, jobs_total, ended_at)
         select $1, 'twin', spec, 'ended', priority, trigger_kind, trigger_detail, 0, created_at from run where id = $2`,
        [twin, waiting],
      );
    }
    const { code, err } = await peerlab(['cancel', 'abcdabcd']);
    expect(code).toBe(EXIT.usage);
    for (const twin of twins) expect(err).toContain(`${twin}  run twin`);
    expect((await peerlab(['cancel', `${twins[0]?.slice(0, 36)}`])).code).toBe(0);
  });
});

describe('every command', () => {
  it('prints a text for people and one JSON document with --json', async () => {
    const attempt = evidence.attempt(0, 'base', 'BUS_ADDR');
    const [run = ''] = evidence.runs;
    const { jobViews } = await farm.call('getRun', { params: { run: waiting } });
    await peerlab(['baselines', 'accept', attempt, 'p2p-perf', '-r', 'to be withdrawn']);
    const baseline = (await farm.call('listBaselines', { query: { suite: 'p2p-perf' } }))[0]?.id.slice(0, 8) ?? '';
    const agent = (await farm.call('getMachine', { params: { machine: 'm1' } })).agent;
    const words: Record<string, string[]> = {
      'submit [file]': ['submit', join(folder, 'good.yaml')],
      'upload <file>': ['upload', join(folder, 'good.yaml')],
      'watch <run>': ['watch', run.slice(0, 8)],
      runs: ['runs', '-n', '5'],
      'cancel <run>': ['cancel', waiting],
      'retry <run-or-job>': ['retry', waiting],
      'explain <what>': ['explain', attempt.slice(0, 8)],
      'logs <attempt-or-run>': ['logs', attempt],
      grid: ['grid', '--run', run],
      'report <run>': ['report', run],
      'compare <a> [b]': ['compare', `${run.slice(0, 8)}~base`, `${run.slice(0, 8)}~dma-alias`],
      builds: ['builds'],
      'builds show <build>': ['builds', 'show', jobViews[0]?.buildId.slice(0, 8) ?? ''],
      templates: ['templates'],
      'templates show <name>': ['templates', 'show', 'example'],
      machines: ['machines'],
      'machines set <machine> <state>': ['machines', 'set', 'm1', 'active', '-r', 'repaired'],
      'machines drain <machine>': ['machines', 'drain', 'm1', '-r', 'a new riser'],
      'machines move <machine> <agent>': ['machines', 'move', 'm1', agent],
      'machines forget <machine>': ['machines', 'forget', evidence.hardware.BUS_ADDR.machine],
      'reserve <machine>': ['reserve', 'm1', '--for', '2h', '-r', 'a look'],
      'return <machine>': ['return', 'm1'],
      'reservations [machine]': ['reservations', 'm1'],
      'terminals <machine>': ['terminals', 'm1'],
      'health <machine>': ['health', 'm1'],
      'health check <machine>': ['health', 'check', 'm1', '-r', 'a look'],
      agents: ['agents'],
      'agents move <agent> <site>': ['agents', 'move', agent, 'north'],
      retention: ['retention'],
      'retention plan': ['retention', 'plan'],
      'retention run': ['retention', 'run', '--yes'],
      'retention pin <run>': ['retention', 'pin', run.slice(0, 8), '--reason', 'for the paper'],
      'crash <file>': ['crash', join(folder, 'good.yaml')],
      baselines: ['baselines'],
      'baselines accept <attempt> <suite>': [
        'baselines',
        'accept',
        attempt,
        'p2p-functional',
        '-r',
        'the base lacks it',
      ],
      'baselines end <baseline>': ['baselines', 'end', baseline],
      'crashes [text]': ['crashes', 'kasan'],
      'crashes show <crash>': ['crashes', 'show', CRASH],
      'crashes mail <crash>': ['crashes', 'mail', CRASH, '--attempt', evidence.attempt(1, 'dma-alias', 'BUS_ADDR')],
      'ktap <file>': ['ktap', join(folder, 'results.ktap')],
      'perftest <file>': ['perftest', join(folder, 'write-bw.txt')],
      'retention unpin <run>': ['retention', 'unpin', run.slice(0, 8)],
    };
    const perftest = new URL('../../controller/contracts/fixtures/perftest/6.06-write-bw-odp.txt', import.meta.url);
    await copyFile(perftest, join(folder, 'write-bw.txt'));
    await writeFile(join(folder, 'results.ktap'), 'KTAP version 1\n1..1\nok 1 a\n');
    // Those of `machine` are programs of the agent, beside which they are tested; lines and mutants need kernels that
    // count or carry them (test/src/lines); a terminal needs an agent that opens it (test/src/terminal).
    const own = COMMANDS.filter(({ usage }) => !/^(?:machine|coverage|mutants|console|ssh) /.test(usage));
    expect(Object.keys(words).toSorted()).toEqual(own.map(({ usage }) => usage).toSorted());
    for (const { usage } of own) {
      const line = words[usage] ?? [];
      const text = await peerlab(line);
      expect(text, usage).toMatchObject({ err: '' });
      expect(text.code, usage).toBeLessThanOrEqual(EXIT.noStatement);
      if (usage === 'machines forget <machine>') continue;
      const json = await peerlab([...line, '--json']);
      expect(json.err, usage).toBe('');
      if (usage === 'logs <attempt-or-run>') continue;
      expect(text.out, usage).not.toBe('');
      expect(() => JSON.parse(json.out) as unknown, `${usage}: ${json.out.slice(0, 200)}`).not.toThrow();
    }
  });

  it('tells of a crash since when it is there, and where it was not before', async () => {
    const { out } = await peerlab(['crashes', 'show', CRASH]);
    expect(out).toMatch(/FIRST BAD +LAST GOOD/);
    expect(out).toMatch(/dma-alias +\S+ \S+ \(attempt [0-9a-f]{8}\)/);
    const mail = await peerlab(['crashes', 'mail', CRASH]);
    expect(mail.out).toMatch(/^Subject: \[BUG\] KASAN: slab-use-after-free Read in p2pvram_map/);
  });

  it('repeats one job of a run alone', async () => {
    const { id } = await farm.call('submitRun', { body: { yaml: WORKING } });
    const { jobViews } = await farm.call('getRun', { params: { run: id } });
    const job = jobViews.find(({ kind }) => kind === 'test')?.id ?? '';
    expect((await peerlab(['retry', job])).code).toBe(EXIT.unavailable);
    await peerlab(['cancel', id]);
    const { code, out } = await peerlab(['retry', job.slice(0, 13)]);
    expect(code).toBe(EXIT.done);
    const again = await farm.call('getRun', { params: { run: out.split(' ')[0] ?? '' } });
    expect(again.id).not.toBe(id);
    const hash = jobViews.find(({ kind }) => kind === 'test')?.combination?.hash;
    expect(again.jobViews.map(({ kind, combination }) => [kind, combination?.hash])).toContainEqual(['test', hash]);
  });

  it('compares as Markdown, explains verdicts and classes of failures, and says its version', async () => {
    const [run = ''] = evidence.runs;
    const { out } = await peerlab(['compare', run]);
    expect(out).toMatch(/^## dma-alias against base\n/);
    expect(out).toContain('### Metrics');
    expect((await peerlab(['explain', 'bounced'])).out).toContain('did not take the peer path');
    expect((await peerlab(['explain', 'infrastructure'])).out).toContain('tried again twice');
    expect((await peerlab(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
    const help = await peerlab(['machines', 'set', '--help']);
    expect(help).toMatchObject({ code: 0 });
    expect(help.out).toContain('--json');
  });
});

describe('a reader that ends before the output does', () => {
  it('ends the command quietly', async () => {
    const stdout = sink(0);
    expect(await peerlab(['runs'], { stdout })).toEqual({ code: EXIT.done, out: '', err: '' });
  });

  it('leaves a watched run without a verdict', async () => {
    const { id } = await farm.call('submitRun', { body: { yaml: WORKING } });
    const watched = await peerlab(['watch', id], { stdout: sink(0) });
    expect(watched).toEqual({ code: EXIT.noStatement, out: '', err: '' });
  });
});
