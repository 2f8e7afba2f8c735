import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OwnSuite, SCRIPT_FILE, type TestResult } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, FAKE_SUITE, startFakeLab } from '../fake/fake-lab.js';
import type { FakeMachine } from '../fake/fake-machine.js';
import type { FakeChannel } from '../fake/fake-ssh-server.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { listScript, readList } from './left-files.js';
import { folderOf, type OwnWork, ownSuiteCommand, prepareOwnSuite, prepareScript } from './own-suite.js';
import { runTestJob } from './test-job.js';

function ownSuite(own: Partial<OwnSuite>, more: Partial<OwnWork> = {}): OwnWork {
  return {
    name: 'mine',
    kind: 'functional',
    command: [SCRIPT_FILE],
    timeoutSeconds: 20,
    testTimeoutSeconds: 20,
    tests: [],
    ...more,
    own: OwnSuite.parse({ dialect: 'exit-code', ...own }),
  };
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'own-suite-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const shell = (command: string) => spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8', timeout: 20_000 });

describe('the commands for a machine, run by a shell', () => {
  /** What the suite prints, its exit status, and its folder. */
  function run(suite: OwnWork) {
    const context = {
      paths: { folder, kernel: '', modules: '' },
      work: { suites: [suite] },
    } as unknown as AttemptContext;
    const own = folderOf(context, suite);
    mkdirSync(join(own, 'artifacts'), { recursive: true });
    if (suite.own.script !== undefined) writeFileSync(join(own, SCRIPT_FILE), suite.own.script, { mode: 0o755 });
    const { stdout, stderr, status } = shell(ownSuiteCommand(context, suite, { P2P_CLIENT: '0000:04:00.0' }));
    return { stdout, stderr, status, own };
  }

  it('start a script in its folder with its parameters, and everything it prints comes in order', () => {
    const { stdout, stderr, status, own } = run(
      ownSuite({
        script:
          'pwd; echo "$SIZE|$PEERLAB_SUITE|$P2P_CLIENT"; echo oops >&2; echo kept > "$PEERLAB_ARTIFACTS/file"; exit 3\n',
        parameters: { SIZE: `4 "k" 'b' $(id) \`id\`` },
      }),
    );
    expect(stdout).toBe(`${own}\n4 "k" 'b' $(id) \`id\`|mine|0000:04:00.0\noops\n`);
    expect([stderr, status]).toEqual(['', 3]);
    expect(readFileSync(join(own, 'artifacts', 'file'), 'utf8')).toBe('kept\n');
    expect(existsSync(join(folder, 'suite.pid'))).toBe(true);
  });

  it('run a script by what its first line names, and a command with all its words', () => {
    expect(run(ownSuite({ script: '#!/bin/sh -e\nfalse\necho not here\n' }))).toMatchObject({ stdout: '', status: 1 });
    expect(run(ownSuite({}, { command: ['printf', '%s,', 'a b', "it's", ''] })).stdout).toBe("a b,it's,,");
  });

  const lacks = (own: Partial<OwnSuite>) => {
    const suite = ownSuite(own, { command: ['sh'] });
    const { stdout, status } = shell(prepareScript(suite, { folder, archive: null, mayInstall: false }));
    return { said: stdout.trim(), status };
  };

  it('say what is missing', () => {
    expect(lacks({})).toEqual({ said: '', status: 0 });
    expect(lacks({ needs: { devices: ['/dev/null'] }, path: '/bin/sh' })).toEqual({ said: '', status: 0 });
    expect(lacks({ needs: { devices: ['/dev/null', '/dev/no such'] } })).toEqual({
      said: 'it needs /dev/no such, which is not there',
      status: 79,
    });
    expect(lacks({ path: '/no/program' })).toEqual({
      said: 'there is no program /no/program on the machine',
      status: 78,
    });
    expect(lacks({ packages: ['no-such-package-here'] }).said).toBe(
      'it needs the package no-such-package-here, which is not installed on the machine; install it there',
    );
    expect(lacks({ packages: ['dpkg'] })).toEqual({ said: '', status: 0 });
  });

  it('tell a device that a machine does not have from what the run promised', () => {
    const modprobe = (says: string) => {
      mkdirSync(join(folder, 'bin'), { recursive: true });
      writeFileSync(join(folder, 'bin', 'modprobe'), `#!/bin/sh\necho "$2: ${says}" >&2\nexit 1\n`, { mode: 0o755 });
      const needs = { modules: ['x'] };
      const text = prepareScript(ownSuite({ needs, script: 'x' }), { folder, archive: null, mayInstall: false });
      const { stdout, status } = shell(`PATH=${join(folder, 'bin')}:$PATH\n${text}`);
      return [stdout.trim(), status];
    };
    const needs = 'it needs the kernel module x, which';
    expect(modprobe("could not insert 'x': No such device")).toEqual([`${needs} finds no device`, 79]);
    expect(modprobe('FATAL: Module x not found in directory /lib')).toEqual([
      `${needs} cannot be loaded: x: FATAL: Module x not found in directory /lib`,
      78,
    ]);
  });

  it('look for the program of a command and for that of a first line', () => {
    const program = (own: Partial<OwnSuite>, command: string[] = [SCRIPT_FILE]) => {
      const text = prepareScript(ownSuite(own, { command }), { folder, archive: null, mayInstall: false });
      const { stdout, status } = shell(text);
      return [stdout.trim(), status];
    };
    const absent = (name: string) => [`there is no program ${name} on the machine`, 78];
    expect(program({}, ['sh', '-c', 'true'])).toEqual(['', 0]);
    expect(program({}, ['no-such-program'])).toEqual(absent('no-such-program'));
    expect(program({}, ['./mine'])).toEqual(absent('./mine'));
    writeFileSync(join(folder, 'mine'), '', { mode: 0o755 });
    expect(program({}, ['./mine'])).toEqual(['', 0]);
    expect(program({ script: '#!/no/python3 -u\n' })).toEqual(absent('/no/python3'));
    expect(program({ script: '#! /usr/bin/env no-python\n' })).toEqual(absent('no-python'));
    expect(program({ script: '#!/usr/bin/env -S sh -e\n' })).toEqual(['', 0]);
    expect(program({ script: '#!/bin/sh\n' })).toEqual(['', 0]);
    expect(program({ script: 'echo x' })).toEqual(['', 0]);
  });

  it('list plain files alone, whatever their names are', () => {
    writeFileSync(join(folder, 'one'), '12');
    writeFileSync(join(folder, 'two\nlines'), '');
    symlinkSync('/etc/shadow', join(folder, 'link'));
    mkdirSync(join(folder, 'folder'));
    const listed = readList(shell(listScript(folder)).stdout);
    expect(listed.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { name: 'one', sizeBytes: 2 },
      { name: 'two\nlines', sizeBytes: 0 },
    ]);
    expect(readList(shell(listScript(join(folder, 'none'))).stdout)).toEqual([]);
  });

  it('unpack archives, and refuse what is none', () => {
    writeFileSync(join(folder, 'inside'), 'text');
    spawnSync('tar', ['-cf', join(folder, 'data.tar'), '-C', folder, 'inside']);
    rmSync(join(folder, 'inside'));
    const file = { name: 'data.tar', artifact: 'a'.repeat(64), unpack: true };
    expect(lacks({ files: [file] })).toEqual({ said: '', status: 0 });
    expect(readFileSync(join(folder, 'inside'), 'utf8')).toBe('text');
    writeFileSync(join(folder, 'data.tar'), 'no archive at all');
    expect(lacks({ files: [file] }).said).toBe('data.tar cannot be unpacked: it is no tar archive');
  });
});

it('names the first error of selftests that were not built', async () => {
  const unbuilt = [{ target: 'timers', error: 'posix.c:3: unknown type name' }];
  const context = { work: { manifest: { unbuilt } } } as unknown as AttemptContext;
  expect(await prepareOwnSuite(context, ownSuite({ kselftest: 'timers', dialect: 'ktap' }))).toEqual({
    status: 'no-result',
    reason: 'the selftests "timers" were not built: posix.c:3: unknown type name',
  });
});

describe('a job with a suite of its run', () => {
  let fake: FakeMachine;
  let spool: AttemptSpool;
  afterEach(async () => {
    await fake.stop();
    spool.close();
  });

  /** Runs the job of a machine on which the suite does this. */
  async function results(
    suite: OwnWork,
    act: (channel: FakeChannel) => void,
    prepare?: (channel: FakeChannel) => void,
  ): Promise<TestResult[]> {
    const lab = await startFakeLab(folder, { tests: [{ id: 'F01', act: 'pass' }] });
    fake = lab.fake;
    const assignment = lab.assign();
    const work = { ...assignment.work, suites: [suite, ...assignment.work.suites] };
    spool = AttemptSpool.create(join(folder, 'spool'), assignment);
    const { signal } = new AbortController();
    const lease = { check: () => undefined };
    const context = new AttemptContext(
      { ...assignment, work },
      work,
      lab.machine,
      lab.bundles,
      spool,
      FAKE_PACE,
      signal,
      lease,
    );
    const usual = fake.answers.get('suite');
    fake.answers.set('suite', (channel, args) => {
      if (args['suite'] === suite.name) return act(channel);
      if (usual !== undefined) return usual(channel, args);
      channel.write('KTAP version 1\n1..1\n# test: F01\nok 1 F01\n');
      channel.exit(0);
    });
    if (prepare !== undefined) fake.answers.set('suite-prepare', (channel) => prepare(channel));
    await runTestJob(context);
    return spool
      .file('events')
      .read(0, 10_000, 1e9)
      .flatMap((entry) => ('event' in entry ? [entry.event] : []))
      .flatMap((event) => (event.type === 'result' && event.result.suite !== 'farm' ? [event.result] : []));
  }
  const shown = (all: readonly TestResult[]) =>
    all.map(({ suite, test, status, reason }) => [suite, test, status, reason]);

  it('reads its exit status, whatever it prints, and its metrics', async () => {
    const metric = '# metric: {"name":"bandwidth","unit":"GB/s","better":"higher","samples":[12.5]}';
    const all = await results(ownSuite({ script: 'x' }), (channel) => {
      channel.write(`KTAP version 1\n1..2\nnot ok 1 fake\n${metric}\nlast words\n`);
      channel.exit(0);
    });
    expect(shown(all)).toEqual([
      ['mine', 'whole suite', 'pass', null],
      [FAKE_SUITE, 'F01', 'pass', null],
    ]);
    expect(all[0]?.log).toMatchObject({ stream: 'test' });
    const events = spool.file('events').read(0, 10_000, 1e9);
    expect(JSON.stringify(events)).toContain('"name":"bandwidth"');
    expect(fake.commands).toContain('suite-script');
  });

  it('gives the last line as the reason of a failure, and a skip for status 4', async () => {
    const failed = await results(ownSuite({ script: 'x' }), (channel) => {
      channel.write('working\nno such device\n\n');
      channel.exit(3);
    });
    expect(shown(failed)[0]).toEqual(['mine', 'whole suite', 'fail', 'it exited with 3: no such device']);
  });

  it('skips it with the reason when something is missing, and runs the others', async () => {
    const all = await results(
      ownSuite({ script: 'x' }),
      () => expect.unreachable('it must not be started'),
      (channel) => {
        channel.write('it needs /dev/x, which is not there\n');
        channel.exit(79);
      },
    );
    expect(shown(all)).toEqual([
      ['mine', 'whole suite', 'skip', 'it needs /dev/x, which is not there'],
      [FAKE_SUITE, 'F01', 'pass', null],
    ]);
  });

  it('says of what the run promised and is not there that it has no result', async () => {
    const prepared = (code: number, said: string) => (channel: FakeChannel) => {
      channel.write(said);
      channel.exit(code);
    };
    const never = () => expect.unreachable('it must not be started');
    const all = await results(ownSuite({ script: 'x' }), never, prepared(78, 'there is no program fio\n'));
    expect(shown(all)).toEqual([
      ['mine', 'whole suite', 'no-result', 'there is no program fio'],
      [FAKE_SUITE, 'F01', 'pass', null],
    ]);
  });

  it.each([
    ['exit-code', 127, 'it exited with 127: fio: not found'],
    ['ktap', 0, 'the test program exited with 0'],
    ['ktap', 127, 'the test program exited with 127'],
    ['pytest', 5, 'it ran no test: the test program exited with 5'],
    ['gtest', 0, 'its output has no test: the test program exited with 0'],
    ['perftest', 0, 'it printed no figures: the test program exited with 0'],
    ['fio', 126, 'the test program exited with 126'],
  ] as const)(
    'says of a suite in %s that ends with %i and no test that it has no result',
    async (dialect, code, why) => {
      const all = await results(ownSuite({ script: 'x', dialect }), (channel) => {
        channel.write(dialect === 'pytest' ? '=== no tests ran in 0.01s ===\n' : 'fio: not found\n');
        channel.exit(code);
      });
      expect(all[0]).toMatchObject({
        test: 'whole suite',
        status: 'no-result',
        reason: expect.stringContaining(why),
      });
    },
  );

  it('gives it the crash that it causes, and runs the others', async () => {
    const all = await results(ownSuite({ script: 'x' }), () => fake.oops('peerlab_broken'));
    expect(all[0]).toMatchObject({ suite: 'mine', test: 'whole suite', status: 'crash' });
    expect(shown(all)[1]).toEqual([FAKE_SUITE, 'F01', 'pass', null]);
  });

  it('brings in the files that it leaves, and says which not', async () => {
    const names = ['log.txt', 'a b', 'big.bin', '../x'];
    const act = (channel: FakeChannel) => {
      fake.answers.set('suite-files', (list) => {
        list.write(names.map((name) => `${name === 'big.bin' ? 1e9 : 4} ${name}\0`).join(''));
        list.exit(0);
      });
      fake.answers.set('suite-file', (file) => {
        file.write(Buffer.from('kept').toString('base64'));
        file.exit(0);
      });
      channel.exit(0);
    };
    await results(ownSuite({ script: 'x' }), act);
    const entries = JSON.stringify(spool.file('events').read(0, 10_000, 1e9));
    const sha256 = createHash('sha256').update('kept').digest('hex');
    expect(entries).toContain(JSON.stringify({ suite: 'mine', name: 'log.txt', sha256, sizeBytes: 4 }));
    expect(entries.match(/"type":"file"/g)).toHaveLength(1);
    const notes = JSON.stringify(spool.file('agent').read(0, 10_000, 1e9));
    for (const why of ['left a b, which is not kept: its name', 'left big.bin, which is not kept: it has 1000000000']) {
      expect(notes).toContain(why);
    }
  });

  it('ends it at its limit', async () => {
    const all = await results(ownSuite({ script: 'x' }, { timeoutSeconds: 1 }), () => undefined);
    expect(all[0]).toMatchObject({ suite: 'mine', test: 'whole suite', status: 'timeout' });
  });

  it('has no result of selftests that were not built, and says why', async () => {
    const never = () => expect.unreachable('started');
    const timers = ownSuite({ kselftest: 'timers', dialect: 'ktap' });
    const [absent] = await results(timers, never);
    expect(absent).toMatchObject({ status: 'no-result', reason: expect.stringContaining('no selftests "timers"') });
  });
});
