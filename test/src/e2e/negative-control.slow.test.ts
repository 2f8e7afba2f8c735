import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttemptDetail, RunDetail } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attemptsOf, runToTheEnd, StartedFarm } from './started-farm.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
/** One kernel build with a warm compiler cache and one machine under software emulation. */
const RUN_MS = 25 * 60_000;

/**
 * On this machine every transfer reports success and moves wrong data. Nothing else in the test suite
 * shows that the comparison of data works when hardware, kernel and driver all say that all is well.
 */
describe('a machine that corrupts data behind a success code', () => {
  let farm: StartedFarm;
  let ended: RunDetail;
  let attempt: AttemptDetail;

  beforeAll(async () => {
    farm = await StartedFarm.start(['--no-run', '--machines', 'v-switch-iommu']);
    await farm.said(/Ctrl-C stops it/, RUN_MS);
    const client = await farm.client();
    const yaml = await readFile(join(root, 'infra/runs/negative-control.yaml'), 'utf8');
    ended = await runToTheEnd(client, yaml, RUN_MS);
    const found = (await attemptsOf(client, ended)).find(({ kind }) => kind === 'test');
    if (found === undefined) throw new Error(`no test attempt: ${JSON.stringify(ended.jobViews, null, 1)}`);
    attempt = found;
  }, 2 * RUN_MS);
  afterAll(async () => farm?.remove());

  it('is known to take the peer path with an IOMMU that translates', () => {
    expect(attempt.combination?.identity).toMatchObject({ pathKind: 'BUS_ADDR', platform: { iommu: 'translated' } });
    const candidate = attempt.kernels.find(({ phase }) => phase === 'candidate');
    expect(candidate?.commandLine).toMatch(/(^| )intel_iommu=on( |$)/);
  });

  it('fails, because data differ', () => {
    expect(ended.verdict).toBe('fail');
    const wrong = attempt.results.filter(
      ({ verdict, reason }) => verdict === 'fail' && /wrong data/.test(reason ?? ''),
    );
    expect(wrong.length).toBeGreaterThanOrEqual(10);
  });

  it.each(['F01.alias_returned', 'F41.single_page', 'F50.pmd_alias', 'F60.peer_read', 'F60.peer_write'])(
    'does not believe the success that %s was told',
    (test) => {
      const result = attempt.results.find((r) => r.test === test);
      expect(result).toMatchObject({ verdict: 'fail', proof: { taken: 'BUS_ADDR' } });
      expect(result?.reason).toMatch(/wrong data: byte \d+ of page \d+ is 0x[0-9a-f]{2}, 0x[0-9a-f]{2} expected/);
    },
  );

  it('passes what never leaves RAM: the engine itself is sound', () => {
    for (const test of ['F60.ram_read', 'F60.ram_write', 'F60.fallback_read'])
      expect(attempt.results.find((r) => r.test === test)?.verdict, test).toBe('pass');
  });

  it('runs to the end and brings the machine back', () => {
    expect(attempt.results.filter(({ verdict }) => verdict === 'not-reached')).toEqual([]);
    expect(attempt.restored).toBe(true);
  });
});
