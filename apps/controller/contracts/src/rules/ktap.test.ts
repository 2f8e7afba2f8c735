import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KTAP_LINE_MAX, parseDiagnostic, parseKtapLine, REASON_MAX, TEST_ID_MAX } from '../index.js';

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

  it('reads a result as the expression did that it replaced, which tried its ways one after the other', () => {
    const before = /^( *)(not )?ok (\d+)(?: -)?(?: ([^#]*?))?(?:\s*#\s*(SKIP|TODO|XFAIL|TIMEOUT)\b:?\s*(.*))?$/i;
    const token = fc.constantFrom(
      'ok ',
      'not ',
      '1',
      '23',
      ' -',
      ' ',
      '\t',
      '#',
      'SKIP',
      'skip:',
      'x',
      'TODOs',
      'a.b',
      '-',
    );
    const text = fc.array(token, { maxLength: 9 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          text.map((rest) => `ok 1${rest}`),
        ),
        (line) => {
          const match = before.exec(line);
          const event = parseKtapLine(line);
          if (match === null) {
            expect(event?.type).not.toBe('result');
            return;
          }
          expect(event).toEqual({
            type: 'result',
            number: Number(match[3]),
            test: (match[4] ?? '').trim().replaceAll('\t', ' '),
            ok: match[2] === undefined,
            directive: match[5]?.toUpperCase() ?? null,
            reason: match[6]?.trim() ? match[6].trim().replaceAll('\t', ' ') : null,
            depth: Math.floor((match[1] ?? '').length / 2),
          });
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('looks at the beginning of a line without end, and gives no more of it on', () => {
    const line = `ok 1 ${' '.repeat(240_000)}#x`;
    const start = performance.now();
    for (let turn = 0; turn < 100; turn += 1) parseKtapLine(line);
    // A hundred of them: one alone took 38 s.
    expect(performance.now() - start).toBeLessThan(5_000);
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
