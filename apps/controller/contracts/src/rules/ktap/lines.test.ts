import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { growthOf } from '../../testing/growth.js';
import { KTAP_LINE_MAX, parseDiagnostic, parseKtapLine, REASON_MAX, TEST_ID_MAX } from '../../index.js';

describe('parseKtapLine', () => {
  it('reads results of every kind', () => {
    expect(parseKtapLine('ok 1 F01.alias_returned')).toEqual({
      type: 'result',
      number: 1,
      test: 'F01.alias_returned',
      ok: true,
      directive: null,
      reason: null,
      depth: 0,
    });
    expect(parseKtapLine('not ok 12 - with a dash')).toMatchObject({ number: 12, test: 'with a dash', ok: false });
    expect(parseKtapLine('ok 9 hmm.x # SKIP Not enough huge pages')).toMatchObject({
      test: 'hmm.x',
      ok: true,
      directive: 'SKIP',
      reason: 'Not enough huge pages',
    });
    expect(parseKtapLine('not ok 3 slow # TIMEOUT 60s')).toMatchObject({
      ok: false,
      directive: 'TIMEOUT',
      reason: '60s',
    });
    expect(parseKtapLine('ok 4 # SKIP')).toMatchObject({ test: '', directive: 'SKIP', reason: null });
    expect(parseKtapLine('  ok 2 nested\r')).toMatchObject({ test: 'nested', depth: 1 });
  });

  it('reads plans and ignores look-alikes', () => {
    expect(parseKtapLine('1..78')).toEqual({ type: 'plan', count: 78, depth: 0 });
    expect(parseKtapLine('  1..2')).toEqual({ type: 'plan', count: 2, depth: 1 });
    expect(parseKtapLine('okay 1 no')).toBeNull();
    expect(parseKtapLine('# ok 1 a comment of an inner tool')).toBeNull();
    expect(parseKtapLine('[   1.0] ok')).toBeNull();
  });

  it('reads the lines of the farm', () => {
    expect(parseKtapLine('# test: F60.dma_to_device')).toEqual({ type: 'starting', test: 'F60.dma_to_device' });
    expect(
      parseKtapLine('# proof: {"test":"F60","expected":"peer","taken":"BUS_ADDR","detail":{"alias pages":8}}'),
    ).toMatchObject({
      type: 'proof',
      proof: { taken: 'BUS_ADDR', detail: { 'alias pages': 8 } },
    });
    expect(
      parseKtapLine('# metric: {"name":"fault.ram.pte","unit":"ns/page","better":"lower","samples":[1.5,2]}'),
    ).toMatchObject({
      type: 'metric',
      metric: { samples: [1.5, 2], params: {} },
    });
    expect(parseKtapLine('@oracle read 0x1000 4096')).toEqual({ type: 'oracle-read', offset: 4096, lengthBytes: 4096 });
  });

  it('names what is wrong with a broken line of the farm', () => {
    expect(parseKtapLine('# proof: {oops')).toMatchObject({ type: 'malformed' });
    expect(parseKtapLine('# metric: {"name":"x","unit":"ns","better":"lower","samples":[]}')).toMatchObject({
      type: 'malformed',
    });
    expect(parseKtapLine('@oracle read 0 4097')).toMatchObject({ type: 'malformed' });
    expect(parseKtapLine('@oracle write 0 1')).toMatchObject({ type: 'malformed' });
    expect(parseKtapLine('@meet 3 0 fe80::1 port 7')).toEqual({
      type: 'meet',
      test: 3,
      step: 0,
      value: 'fe80::1 port 7',
    });
    expect(parseKtapLine('@meet 3 0 a\u0007b')).toMatchObject({ value: 'a\ufffdb' });
    for (const line of ['3 0', '3 x a', '1000000 0 a', '0 10000 a', '-1 0 a', `0 0 ${'v'.repeat(257)}`, '']) {
      expect(parseKtapLine(`@meet ${line}`)).toMatchObject({ type: 'malformed' });
    }
  });

  it('never throws, whatever a crashing kernel writes into the stream', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (line) => void parseKtapLine(line)));
    fc.assert(fc.property(fc.string({ maxLength: 100 }), (tail) => void parseKtapLine(`# proof: ${tail}`)));
  });

  it('gives back the name and number of any well-formed result', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_.]{1,40}$/);
    fc.assert(
      fc.property(fc.boolean(), fc.nat(99999), name, (ok, number, test) => {
        expect(parseKtapLine(`${ok ? '' : 'not '}ok ${number} ${test}`)).toMatchObject({
          ok,
          number,
          test,
          directive: null,
        });
      }),
    );
  });

  it.each([
    ['not ok 2 selftests: mm: b # exit=1', { number: 2, test: 'selftests: mm: b', ok: false, reason: 'exit=1' }],
    ['ok 1 a # took 3 s', { test: 'a', ok: true, reason: 'took 3 s' }],
    ['ok 5 check return code # rcode=0', { test: 'check return code', reason: 'rcode=0' }],
    ['not ok 1 a # ERROR no memory', { test: 'a', ok: false, directive: 'ERROR', reason: 'no memory' }],
    ['ok 1 # XPASS b', { test: '', ok: true, reason: 'XPASS b' }],
    ['ok 1 a # TODOs', { test: 'a', ok: true, reason: 'TODOs' }],
    ['ok 1 a # skip: none', { test: 'a', directive: 'SKIP', reason: 'none' }],
    ['ok 1 a #SKIP none', { test: 'a', directive: 'SKIP', reason: 'none' }],
    ['ok 1 a # SKIPPED none', { test: 'a', directive: 'SKIP', reason: 'none' }],
    ['not ok 1 a # exit=4 # SKIP none', { test: 'a', directive: 'SKIP', reason: 'none' }],
    ['ok 1 C#', { test: 'C#', reason: null }],
    ['ok 1 name with #2 inside', { test: 'name with #2 inside', reason: null }],
    ['ok 1 - a \\# b # c', { test: 'a # b', reason: 'c' }],
    ['ok 1 a #', { test: 'a', reason: null }],
    ['ok 1..3 selftests: timers: x [PASS]', { number: 1, test: '..3 selftests: timers: x [PASS]' }],
    ['not ok - without a number', { number: null, test: 'without a number', ok: false }],
    ['ok # SKIP no device', { number: null, test: '', directive: 'SKIP' }],
    ['[    1.200000] ok 1 a', { number: 1, test: 'a', depth: 0 }],
    ['[    1.200000][    T1]   not ok 1 a', { test: 'a', ok: false, depth: 1 }],
    ['<6>[   11.200000] ok 1 a', { test: 'a' }],
    ['<6>ok 1 a', { test: 'a' }],
    ['Nov 30 04:12:28 host kernel: [    1.200000] ok 1 a', { test: 'a' }],
    ['2026-11-30T04:12:28+0000 host systemd[1]: ok 1 a', { test: 'a' }],
    ['[    1.200000] kunit[12]: ok 1 a', { test: 'a' }],
  ])('reads %s', (line, expected) => {
    expect(parseKtapLine(line)).toMatchObject({ type: 'result', directive: null, ...expected });
  });

  it.each([
    'OK 12 files copied',
    'Not ok 3 retries',
    'ok',
    'ok so far',
    'not okay',
    'ok 3rd try',
    'ok 12.5 seconds',
    '[  OK  ] Started a service',
    '[    1.2] eth0: ok 1 a',
    '1..2 files',
  ])('takes "%s" for plain text', (line) => {
    expect(parseKtapLine(line)).toBeNull();
  });

  it('looks at the beginning of a line without end, and gives no more of it on', async () => {
    const growth = await growthOf((size) => `ok 1 ${' '.repeat(size)}#x`, parseKtapLine);
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
    expect(parseKtapLine(`ok 1 ${'n'.repeat(1e6)}`)).toMatchObject({ test: `${'n'.repeat(TEST_ID_MAX - 1)}…` });
    const skipped = parseKtapLine(`ok 1 n # SKIP ${'r'.repeat(1e6)}`);
    expect(skipped?.type === 'result' && skipped.reason).toHaveLength(REASON_MAX);
    expect(parseKtapLine(`# metric: {"samples":[${'1,'.repeat(KTAP_LINE_MAX)}1]}`)).toMatchObject({
      type: 'malformed',
    });
    const params = JSON.stringify(Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`p${at}`, at])));
    const metric = `# metric: {"name":"n","unit":"ns","better":"lower","samples":[1],"params":${params}}`;
    expect(parseKtapLine(metric)).toMatchObject({
      type: 'malformed',
      problem: expect.stringContaining('64 parameters'),
    });
  });

  it('makes names and reasons fit for one line', () => {
    expect(parseKtapLine('# test: a\u0000b\u001b[31m')).toEqual({ type: 'starting', test: 'a\ufffdb\ufffd[31m' });
  });
});

it('tells a diagnostic line from other text', () => {
  expect(parseDiagnostic('# expected 3, got 4')).toBe('expected 3, got 4');
  for (const line of ['#no blank', ' # indented', 'ok 1 # SKIP', '']) expect(parseDiagnostic(line)).toBeNull();
});

it('reads a metric that is no JSON', () => {
  const metric = (line: string) => {
    const event = parseKtapLine(line);
    return event?.type === 'metric' ? event.metric : event?.type;
  };
  expect(metric('# metric bandwidth 12.5 GB/s better=higher')).toEqual({
    name: 'bandwidth',
    unit: 'GB/s',
    better: 'higher',
    samples: [12.5],
    params: {},
  });
  expect(metric('# metric  latency\t3e-6   s')).toMatchObject({ unit: 's', better: 'lower', samples: [3e-6] });
  for (const line of [
    'bandwidth',
    'bandwidth fast GB/s',
    'a 1 b better=faster',
    'a 1 b better=lower c',
    'a NaN b',
    'a  ',
  ]) {
    expect(metric(`# metric ${line}`)).toBe('malformed');
  }
  expect(metric('# metrics are below')).toBeUndefined();
});
