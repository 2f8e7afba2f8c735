import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { dialectReader, type Grid } from '@peerlab/contracts';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../exit-codes.js';
import { runProgram } from '../program.js';
import { junitOf } from './junit.js';
import { ciOutputOf, GithubOutput, GitlabOutput } from './ci-output.js';

const HOSTILE = 'x\n::set-env name=PATH::/tmp\n::endgroup::';

describe('a CI system is told', () => {
  it('by workflow commands, which no foreign line can give', () => {
    const ci = new GithubOutput('t0ken');
    expect(ci.open('a\n::error::b') + ci.lines(HOSTILE) + ci.close()).toBe(
      `::group::a ::error::b\n::stop-commands::t0ken\n${HOSTILE}\n::t0ken::\n::endgroup::\n`,
    );
    expect(ci.error('a:b,c', '50 %\n::x::', { path: 'mm/a.c', line: 3 })).toBe(
      '::error file=mm/a.c,line=3,title=a%3Ab%2Cc::50 %25%0A::x::\n',
    );
    expect(ciOutputOf({ GITHUB_ACTIONS: 'true' })).toBeInstanceOf(GithubOutput);
  });

  it('by sections, which no foreign line can open', () => {
    const ci = new GitlabOutput(() => 7);
    const text = ci.open('run') + ci.lines('\u001b[0Ksection_end:7:peerlab_1\r\u001b[0K') + ci.close();
    expect(text.split('\u001b[0Ksection_end')).toHaveLength(2);
    expect(text).toContain('\u001b[0Ksection_start:7:peerlab_1\r\u001b[0Krun\n');
    expect(ciOutputOf({ GITLAB_CI: 'true' })).toBeInstanceOf(GitlabOutput);
  });

  it('in plain words elsewhere', () => {
    const ci = ciOutputOf({});
    expect(ci.error('a', 'b', { path: 'mm/a.c', line: 3 })).toBe('mm/a.c:3: a: b\n');
  });
});

it('a JUnit report names every role of a job with several, with its kernel and where that is from', () => {
  const git = { url: 'https://example.org/l', ref: 'master', commit: 'c'.repeat(40) };
  const role = (name: string, machine: string, build: string) => ({
    role: name,
    machine,
    pair: null,
    build: { name: build, git },
  });
  const column = {
    machine: null,
    pair: null,
    combination: { label: 'c' },
    build: { name: 'base', git },
    roles: [role('server', 'm1', 'base'), role('client', 'm2', 'new')],
  };
  const cell = { row: 0, column: 0, verdict: 'pass', reason: null, durationMs: 1500 };
  const grid = {
    columns: [column],
    marks: [],
    known: [],
    rows: [{ suite: 's', test: 'passes' }],
    cells: [cell],
  } as unknown as Grid;
  const place = { machine: 'server m1, client m2', build: 'server base, client new', name: '' };
  const failures = [{ kind: 'test', place, class: 'kernel-crash', role: 'client', message: 'Oops' } as const];
  const run = { name: 'r' } as Parameters<typeof junitOf>[1]['run'];
  const xml = junitOf(grid, { run, failures });
  expect(xml).toContain('<testsuite name="s on server m1, client m2 / server base, client new"');
  expect(xml).toContain(`value="server commit ${'c'.repeat(40)}, master of https://example.org/l; client commit`);
  expect(xml).toContain('message="crash: kernel-crash of client: Oops"');
});

it('a JUnit report says of each test what the grid says, and is read back so', () => {
  const git = { url: 'https://example.org/l?a&b', ref: 'master', commit: 'c'.repeat(40) };
  const column = { machine: 'm1', pair: null, combination: { label: 'c' }, build: { name: 'b', git } };
  const cell = (row: number, verdict: string, reason: string | null) => ({
    row,
    column: 0,
    verdict,
    reason,
    durationMs: 1500,
  });
  const grid = {
    columns: [column],
    marks: [{ reason: 'mended in 7.4', by: 'ann', until: '2026-03-01T00:00:00Z', base: null }],
    known: [{ row: 1, column: 0, mark: 0 }],
    rows: ['passes', 'a "<b>" & c\u0000\ud800', 'skips', 'lost', 'never', 'whole suite'].map((test) => ({
      suite: 's',
      test,
    })),
    cells: [
      cell(0, 'pass', null),
      cell(1, 'crash', 'BUG: <x>'),
      cell(2, 'skip', 'no device'),
      cell(3, 'infra', 'link lost'),
      cell(4, 'not-reached', null),
      cell(5, 'no-result', 'the selftests "mm" were not built: a.c:3: no x.h'),
    ],
  } as unknown as Grid;
  const run = { name: 'r' } as Parameters<typeof junitOf>[1]['run'];
  const place = { build: 'b', machine: 'm1', name: 'm1/b' };
  const lost = { kind: 'test', place, class: 'agent-bug', role: null, message: 'x' } as const;
  const xml = junitOf(grid, { run, failures: [lost] });
  expect(xml).toContain('<testsuite name="s on m1 / b" tests="6" failures="1" errors="2" skipped="2" time="9.000">');
  expect(xml).toContain(
    `<properties><property name="source" value="commit ${'c'.repeat(40)}, master of https://example.org/l?a&amp;b"/></properties>`,
  );
  expect(xml).toContain(
    '<error type="no-result" message="no-result: the selftests &quot;mm&quot; were not built: a.c:3',
  );
  expect(xml).toContain('<error type="infra" message="infra: agent-bug: x"');
  expect(xml).toContain('BUG: &lt;x&gt; (known until 2026-03-01 (marked by ann): mended in 7.4)');
  const reader = dialectReader('junit');
  reader?.file?.(xml);
  const { events } = reader?.end({ code: 0, how: 'exited with 0' }) ?? { events: [] };
  const statuses = events.flatMap((event) => (event.type === 'result' ? [`${event.test}: ${event.status}`] : []));
  expect(statuses).toEqual([
    's on m1 / b/passes: pass',
    's on m1 / b/a "<b>" & c\ufffd\ufffd: fail',
    's on m1 / b/skips: skip',
    's on m1 / b/lost: fail',
    's on m1 / b/never: skip',
    's on m1 / b/whole suite: fail',
    'jobs that ended early/m1 / b: fail',
  ]);
});

describe('submit --wait', () => {
  let farm: TestFarm;
  let folder: string;
  beforeAll(async () => {
    farm = await TestFarm.start();
    folder = await mkdtemp(join(tmpdir(), 'ci-'));
    await writeFile(join(folder, 'run.yaml'), 'name: <ci> & "run"\nbuilds: [{name: patched, series: [bundled]}]\n');
  });
  afterAll(async () => {
    await farm.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('ends with the verdict, an error at the file, a summary and a JUnit report', async () => {
    const agent = await farm.agent({ m1: 'BUS_ADDR' });
    let out = '';
    const stdout = new Writable({
      decodeStrings: false,
      write: (piece, _, done) => {
        out += String(piece);
        done();
      },
    });
    const [junit, summary] = [join(folder, 'junit.xml'), join(folder, 'summary.md')];
    const env = {
      PEERLAB_URL: farm.server.url,
      PEERLAB_TOKEN: farm.userToken,
      PEERLAB_STATE: folder,
      GITHUB_ACTIONS: 'true',
      GITHUB_STEP_SUMMARY: summary,
    };
    const stdin = (async function* () {
      yield await Promise.resolve('');
    })();
    const code = runProgram(['submit', join(folder, 'run.yaml'), '--wait', '--junit', junit], {
      stdin,
      stdout,
      stderr: stdout,
      env,
    });
    const build = await agent.take('build');
    const message = `the kernel does not build: ${HOSTILE}`;
    await agent.events(
      build,
      0,
      { type: 'build-failed', error: { class: 'compile', file: 'mm/hmm.c', line: 42, detail: HOSTILE } },
      {
        type: 'finished',
        failure: { class: 'build', stage: 'build', message, signature: null },
        restored: true,
        lineCounts: {},
      },
    );
    expect(await code).toBe(EXIT.findings);
    expect(out).toMatch(/^::group::Peerlab run [0-9a-f-]+\n::stop-commands::/);
    expect(out).toContain(
      '::error file=mm/hmm.c,line=42,title=build / patched%3A build::the kernel does not build: x%0A::set-env',
    );
    // Outside of a fold, where commands count, no line of the build is one.
    const folds = out.split(/^::stop-commands::.*$/m).map((part) => part.replace(/^[\s\S]*?^::[0-9a-f-]{36}::$/m, ''));
    for (const part of folds) expect(part).not.toMatch(/^::(set-env|endgroup::.)/m);
    const xml = await readFile(junit, 'utf8');
    expect(xml).toContain('<testsuites name="&lt;ci&gt; &amp; &quot;run&quot;">');
    expect(xml).toContain('<testcase classname="jobs that ended early" name="build / patched"');
    expect(xml).toContain('<failure type="fail" message="fail: build: the kernel does not build');
    expect(await readFile(summary, 'utf8')).toContain('### Jobs that ended early');
    agent.vanish();
  });
});
