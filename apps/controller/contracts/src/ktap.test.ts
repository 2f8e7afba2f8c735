import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKtapLine } from './index.js';

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
      parseKtapLine('# proof: {"test":"F60","expected":"peer","aliasPages":8,"ramPages":0,"mapType":"BUS_ADDR"}'),
    ).toMatchObject({
      type: 'proof',
      proof: { aliasPages: 8, mapType: 'BUS_ADDR', bytesCompared: 0 },
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
});
