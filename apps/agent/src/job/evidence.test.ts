import { COMMAND_LINE_MAX, parseKtapLine, TEST_ID_MAX, type AttemptEvent, type TestResult } from '@peerlab/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBuildLine } from './build-script.js';
import { candidateCommandLine, whyOtherCommandLine, whyTooLong } from './command-line.js';
import { buildIdOfNotes, parseIdentity } from './kernel-identity.js';
import { parseKmsg } from './kernel-log.js';
import { unwantedPrograms } from './stages/flash.js';
import { parseDf, whyNoSpace, whyOtherMachine } from './stages/prepare.js';
import { LINES_KEPT } from './suite-limits.js';
import { SuiteProgress } from './suite-progress.js';
import { WHOLE_SUITE } from './suite-results.js';

describe('kernel identity', () => {
  const notes = '04000000060000000600000058656e006c696e7578000000040000000400000003000000474e5500deadbeef';

  it('finds the build-id behind other notes', () => {
    expect(buildIdOfNotes(notes)).toBe('deadbeef');
    expect(buildIdOfNotes('')).toBe('');
  });

  it('comes to an end whatever the kernel under test shows as its notes', () => {
    // The size of the name leads back to the note itself when it is read as signed.
    expect(buildIdOfNotes('f4ffffff0000000001000000')).toBe('');
    const note = (nameSize: number, size: number, type: number): string => {
      const head = Buffer.alloc(12);
      [nameSize, size, type].forEach((value, at) => head.writeUInt32LE(value >>> 0, 4 * at));
      return head.toString('hex');
    };
    const sizes = fc.oneof(
      fc.integer({ min: 0, max: 40 }),
      fc.constantFrom(0x7fffffff, 0x80000000, 0xfffffff4, 0xffffffff),
    );
    const piece = fc.oneof(
      fc.tuple(sizes, sizes, fc.constantFrom(1, 3)).map(([nameSize, size, type]) => note(nameSize, size, type)),
      fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      fc.constant('474e5500'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        expect(buildIdOfNotes(pieces.join(''))).toMatch(/^(?:[0-9a-f]{2}){0,32}$/);
      }),
      { numRuns: 2000 },
    );
    expect(buildIdOfNotes(`${note(4, 33, 3)}474e5500${'ab'.repeat(36)}`)).toBe('');
    expect(buildIdOfNotes(`${note(4, 20, 3)}474e5500${'ab'.repeat(19)}`)).toBe('');
    expect(buildIdOfNotes(`${note(4, 32, 3)}474e5500${'ab'.repeat(32)}`)).toBe('ab'.repeat(32));
    expect(buildIdOfNotes('00'.repeat(10_000_000))).toBe('');
  });

  it('takes no release that is none, and of a command line only what a kernel can have', () => {
    const bootId = '0fa4002d-56cf-422f-a474-0a122cbd2ae7';
    for (const release of ['a'.repeat(65), '7.3 4', '\u001b[31m', '7.3/../x']) {
      expect(() => parseIdentity(`${bootId}\n${release}\nx\n${notes}\n`)).toThrow('did not say which kernel');
    }
    const { commandLine, nonce } = parseIdentity(
      `${bootId}\n7.3.4\na\u0007 peerlab.nonce=${'n'.repeat(20_000)}\n${notes}\n`,
    );
    expect(commandLine).toHaveLength(COMMAND_LINE_MAX);
    expect(commandLine.startsWith('a\ufffd peer')).toBe(true);
    expect(nonce).toBe('n'.repeat(64));
  });

  it('reads nonce and boot_id; refuses half an answer', () => {
    const bootId = '0fa4002d-56cf-422f-a474-0a122cbd2ae7';
    expect(parseIdentity(`${bootId}\n7.3.4\nroot=/dev/vda1 peerlab.nonce=ab12 x\n${notes}\n`)).toMatchObject({
      bootId,
      release: '7.3.4',
      nonce: 'ab12',
      buildId: 'deadbeef',
    });
    expect(() => parseIdentity('0fa4002d-56cf')).toThrow('did not say which kernel');
  });
});

describe('candidateCommandLine', () => {
  it('keeps root= of the default word for word where an initramfs finds it', () => {
    const line = 'BOOT_IMAGE=/vmlinuz root=/dev/mapper/vg-root ro rootflags=subvol=@ quiet';
    const ids = { nonce: 'n', attemptId: 'a' };
    expect(candidateCommandLine(line, '/dev/dm-0', ids, [], true).split(' ')).toEqual(
      expect.arrayContaining(['root=/dev/mapper/vg-root', 'ro', 'rootflags=subvol=@']),
    );
    expect(candidateCommandLine('quiet', '/dev/dm-0', ids, [], true)).toContain(' root=/dev/dm-0 ');
  });

  const ids = { nonce: 'n', attemptId: 'a' };

  it('keeps the IOMMU mode and console, drops what is the default kernel’s own', () => {
    const line = candidateCommandLine(
      'BOOT_IMAGE=/vmlinuz root=UUID=1-2 ro quiet splash console=ttyS1,9600 intel_iommu=on iommu=pt panic=10 systemd.unit=rescue peerlab.nonce=old',
      '/dev/sda2',
      ids,
    );
    expect(line).toBe(
      'peerlab.nonce=n peerlab.attempt=a root=/dev/sda2 ro console=ttyS1,9600 intel_iommu=on iommu=pt panic=5 oops=panic ' +
        'softlockup_panic=1 hung_task_panic=1 panic_on_warn=0 ignore_loglevel',
    );
  });

  it('adds what the machine needs and the default kernel lacks, once', () => {
    const line = candidateCommandLine('root=/dev/vda1 rw intel_iommu=on', '/dev/vda1', ids, [
      'intel_iommu=on',
      'memmap=512M$0x40000000',
    ]);
    expect(line.split(' ').filter((word) => word === 'intel_iommu=on')).toHaveLength(1);
    expect(line).toContain(' memmap=512M$0x40000000 ');
  });

  it('takes a root that needs no initrd as it is', () => {
    expect(candidateCommandLine('root=PARTUUID=ab-01 rw', '/dev/sda2', ids)).toContain(' root=PARTUUID=ab-01 rw ');
    expect(candidateCommandLine('root=/dev/mapper/vg-root', '/dev/dm-0', ids)).toContain(' root=/dev/dm-0 ro ');
  });

  it('adds nothing that gives devices other names than the default kernel gives them', () => {
    const line = candidateCommandLine('root=/dev/sda2 ro', '/dev/sda2', ids);
    expect(line).not.toMatch(/net\.ifnames|biosdevname|console=/);
  });

  it('has the nonce first, and is refused where the kernel would cut it', () => {
    const long = candidateCommandLine(`root=/dev/sda2 pci=config_acs=${'x'.repeat(2000)}`, '/dev/sda2', ids);
    expect(long.startsWith('peerlab.nonce=n ')).toBe(true);
    expect(whyTooLong(long, '/boot/k')).toMatch(/would have 2\d\d\d characters, and the kernel takes 2047; shorten/);
    expect(whyTooLong('x'.repeat(2047 - 'BOOT_IMAGE=/boot/k '.length), '/boot/k')).toBeNull();
  });

  it('is compared word for word with what the kernel got', () => {
    const installed = 'peerlab.nonce=n root=/dev/sda2 ro console=tty0 console=ttyS0';
    expect(whyOtherCommandLine(installed, `BOOT_IMAGE=/k ${installed} crashkernel=auto`)).toBeNull();
    expect(whyOtherCommandLine(installed, installed.slice(0, -8))).toContain('console=ttyS0 did not arrive');
    expect(whyOtherCommandLine(installed, 'peerlab.nonce=n root=/dev/sda2 ro console=ttyS0 console=tty0')).toContain(
      'console=ttyS0 did not arrive',
    );
    expect(whyOtherCommandLine(null, 'anything')).toBeNull();
  });
});

describe('small readers', () => {
  it('kmsg records become dmesg lines', () => {
    expect(parseKmsg('6,339,5140900,-;NET: Registered PF_INET;x')).toEqual({
      seq: 339,
      text: '[    5.140900] NET: Registered PF_INET;x',
    });
    expect(parseKmsg('4,1,12,-,caller=T1;early')).toEqual({ seq: 1, text: '[    0.000012] early' });
    expect(parseKmsg(' SUBSYSTEM=pci')).toBeNull();
  });

  it('a default kernel without the machine’s arguments is another machine', () => {
    const machine = { name: 'm', kernelArguments: ['intel_iommu=on', 'iommu=pt'] };
    expect(whyOtherMachine(machine, 'root=/dev/vda1 iommu=pt intel_iommu=on ')).toBeNull();
    expect(whyOtherMachine(machine, 'root=/dev/vda1 intel_iommu=on,sm_on iommu=pt')).toMatch(
      /default kernel of m runs without intel_iommu=on, .* take it out of kernelArguments/,
    );
  });

  it('a program that two suites share is sent for either of them', () => {
    const suite = (name: string, ...command: string[]) => ({
      name,
      kind: 'functional' as const,
      command,
      timeoutSeconds: 60,
      testTimeoutSeconds: 60,
      tests: [],
    });
    const plain = suite('hmm-tests', 'suites/hmm_tests');
    const coherent = suite('hmm-tests-coherent', 'suites/hmm_tests', '--coherent');
    const other = suite('kunit', 'suites/kunit');
    expect([...unwantedPrograms([plain, coherent, other], [coherent])]).toEqual(['suites/kunit']);
  });

  it('df rows count once per mount', () => {
    const text = `Filesystem 1024-blocks Used Available Capacity Mounted on
/dev/sda1 100 10 12288 1% /boot
/dev/sda2 100 10 9999999 1% /
/dev/sda2 100 10 9999999 1% /`;
    const space = parseDf(text);
    expect(space.map((entry) => entry.mount)).toEqual(['/boot', '/']);
    expect(whyNoSpace('v', space, 34 * 1024 * 1024)).toMatch(
      /^machine v has 12.0 MiB free in \/boot, needs 34.0 MiB; remove/,
    );
    expect(whyNoSpace('v', space, 1024)).toBeNull();
  });

  it('build lines', () => {
    expect(parseBuildLine('@progress 41.5 CC mm/hmm.o')).toEqual({
      type: 'progress',
      percent: 41.5,
      text: 'CC mm/hmm.o',
    });
    expect(
      parseBuildLine('@error {"class":"apply","patch":"p","file":"mm/hmm.c","hunk":2,"detail":"no"}'),
    ).toMatchObject({
      type: 'error',
      error: { class: 'apply', hunk: 2 },
    });
    expect(parseBuildLine('@error nonsense')).toMatchObject({ error: { class: 'infrastructure', detail: 'nonsense' } });
    expect(parseBuildLine('  CC mm/hmm.o')).toBeNull();
  });
});

describe('SuiteProgress', () => {
  const follow = (plan: string[], alarms: { at: number; title: string }[] = []) => {
    const events: AttemptEvent[] = [];
    const progress = new SuiteProgress('s', plan, {
      emit: (event) => events.push(event),
      warningsBetween: (from, to) => alarms.filter(({ at }) => at >= from && at <= to).map(({ title }) => title),
      note: () => undefined,
      say: () => undefined,
    });
    let seq = 0;
    const say = (at: number, ...lines: string[]): void => {
      for (const line of lines) progress.take(parseKtapLine(line), line, seq++, at);
    };
    const results = () => events.flatMap((event) => (event.type === 'result' ? [event.result] : []));
    return { progress, events, say, results };
  };

  it('holds results back until warnings had time to arrive', () => {
    const { progress, say, results } = follow(['A'], [{ at: 105, title: 'WARNING' }]);
    say(0, '# test: A');
    say(100, 'ok 1 A');
    progress.flush(150, 200);
    expect(results()).toEqual([]);
    progress.flush(150, 251);
    expect(results()).toMatchObject([
      { test: 'A', durationMs: 100, warnings: ['WARNING'], log: { fromSeq: 0, toSeq: 1 } },
    ]);
  });

  it('counts excluded tests once, with their first result', () => {
    const { progress, say, results } = follow(['A', 'B']);
    say(0, '# test: A', 'not ok 1 A');
    progress.restart();
    say(1, 'ok 1 A # SKIP not run: excluded by caller', '# test: B', 'ok 2 B');
    progress.flush(0, 1e9);
    expect(results().map(({ test, status }) => [test, status])).toEqual([
      ['A', 'fail'],
      ['B', 'pass'],
    ]);
  });

  it('gives metrics to the running test, and ignores nested results', () => {
    const { events, say, progress } = follow(['P']);
    say(0, '# test: P', '# metric: {"name":"m","unit":"ns","better":"lower","samples":[1]}', '  ok 1 inner', 'ok 1 P');
    progress.flush(0, 1e9);
    expect(events.map((event) => event.type)).toEqual(['measurement', 'result']);
    expect(events[0]).toMatchObject({ test: 'P', metric: { name: 'm' } });
  });

  const flat = (results: TestResult[]) => results.map(({ test, status }) => [test, status]);

  it('keeps the path of nested results, and both results of one name', () => {
    const { say, progress, results } = follow([]);
    say(
      0,
      'KTAP version 1',
      '1..4',
      '  KTAP version 1',
      '  1..2',
      '  ok 1 a',
      '  not ok 2 b # rc=3',
      'ok 1 one',
      '# KTAP version 1',
      '# 1..1',
      '# ok 1 x',
      'ok 2 two',
      'ok 3 two',
      'not ok 4 two # exit=139',
    );
    progress.endSuite({ code: 1, how: 'exited with 1' });
    expect(flat(results())).toEqual([
      ['one/a', 'pass'],
      ['one/b', 'fail'],
      ['one', 'fail'],
      ['two/x', 'pass'],
      ['two', 'pass'],
      ['two (2)', 'pass'],
      ['two (3)', 'fail'],
    ]);
    expect(results().map(({ reason }) => reason)).toEqual([
      null,
      'rc=3',
      'says ok, but 1 of its sub-tests failed',
      null,
      null,
      null,
      'exit=139; ended by signal 11',
    ]);
    expect(results()[1]?.log).toEqual({ stream: 'test', fromSeq: 5, toSeq: 5 });
  });

  it.each([
    ['killed after 1 of 3', ['1..3', 'ok 1 a'], null, 'fail', '2 of 3 planned tests have no result'],
    ['killed without a plan', ['ok 1 a'], null, 'fail', 'the test program was killed'],
    ['gives up', ['1..1', 'ok 1 a', 'Bail out! no disk'], 1, 'fail', 'it bailed out: no disk'],
    ['prints nothing', [], 0, 'no-result', 'no version, plan or result'],
    ['has no test', ['TAP version 13', '1..0'], 0, 'no-result', 'no tests ran'],
    ['has no test and fails', ['TAP version 13', '1..0'], 1, 'fail', 'no tests ran'],
    ['gives up at once', ['TAP version 13', '1..0', 'Bail out! no disk'], 0, 'fail', 'it bailed out: no disk'],
    ['fails without a failed test', ['1..1', 'ok 1 a'], 2, 'fail', 'no test failed'],
    ['skips itself', ['1..0 # SKIP not root'], 4, 'skip', 'nothing is to run'],
    ['passes', ['1..1', 'ok 1 a'], 0, null, ''],
    ['fails as it says', ['1..1', 'not ok 1 a'], 1, null, ''],
    ['skips all', ['1..1', 'ok 1 a # SKIP'], 4, null, ''],
  ])('a suite that lists no tests and %s', (_name, lines, code, status, reason) => {
    const { say, progress, results } = follow([]);
    say(0, ...lines);
    progress.endSuite({ code, how: 'was killed' });
    const whole = results().filter(({ test }) => test === WHOLE_SUITE);
    expect(whole.map((result) => result.status)).toEqual(status === null ? [] : [status]);
    if (status !== null) expect(whole[0]?.reason).toContain(reason);
  });

  it('an "ok" without a name is that of the running test, and one with its name says the same again', () => {
    const { say, progress, results } = follow(['A', 'B']);
    say(0, '# test: A', 'ok 1', 'ok 1 A', '# test: B', 'ok 2', 'not ok 2 B');
    progress.endSuite({ code: 0, how: 'exited with 0' });
    expect(flat(results())).toEqual([
      ['A', 'pass'],
      ['B', 'pass'],
      ['B (2)', 'fail'],
    ]);
  });

  it('names stay within their limit and apart', () => {
    const { say, progress, results } = follow([]);
    const long = 'n'.repeat(TEST_ID_MAX);
    say(0, '1..1', '  1..2', `  ok 1 ${long}`, `  not ok 2 ${long}`, `not ok 1 ${long}`);
    progress.endSuite({ code: 1, how: 'exited' });
    const names = results().map(({ test }) => test);
    expect(new Set(names).size).toBe(3);
    expect(Math.max(...names.map((name) => name.length))).toBe(TEST_ID_MAX);
  });

  it('gives the first reasons of a test that complains thousands of times, and counts the rest', () => {
    const { progress, say, results } = follow(['A']);
    const complaints = Array.from({ length: 5000 }, (_, word) => `# FAILED tests_dma.c:50: word ${word}`);
    say(0, '# test: A', ...complaints, 'not ok 1 A');
    progress.flush(0, 1e9);
    expect(results()[0]?.reason).toBe(
      'FAILED tests_dma.c:50: word 0; FAILED tests_dma.c:50: word 1; FAILED tests_dma.c:50: word 2; and 4997 more lines',
    );
  });

  it('keeps a bounded number of lines of a test, but everything that means something', () => {
    const { progress, say } = follow(['A', 'B']);
    say(0, '# test: A');
    const kept = Array.from({ length: LINES_KEPT + 500 }, () => progress.keeps(null, 10)).filter(Boolean);
    expect(kept).toHaveLength(LINES_KEPT);
    expect(progress.keeps(parseKtapLine('not ok 1 A'), 10)).toBe(true);
    say(1, 'not ok 1 A', '# test: B');
    expect(progress.keeps(null, 10)).toBe(true);
  });

  it('suspects the running test, else the next of the plan', () => {
    const { progress, say } = follow(['A', 'B']);
    expect(progress.suspect()).toEqual({ test: 'A', announced: false });
    say(0, '# test: A');
    expect(progress.suspect()).toEqual({ test: 'A', announced: true });
    say(0, 'ok 1 A', '# test: B', 'ok 2 B');
    expect(progress.suspect()).toBeNull();
  });
});
