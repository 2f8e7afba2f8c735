import { renderSizes, sizeSeries, type Comparison } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { insertBoots, insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { insertSizes } from '../testing/evidence-sizes.js';
import { TestFarm } from '../testing/farm.js';

const BOOTS = 5;

let farm: TestFarm;
let evidence: SampleEvidence;
let comparison: Comparison;
beforeAll(async () => {
  farm = await TestFarm.start();
  evidence = await insertEvidence(farm.sql, 2);
  await insertSizes(farm.sql, await insertBoots(farm.sql, 1, 'BUS_ADDR', BOOTS));
  comparison = await farm.call('getCompare', {
    query: { a: evidence.runs[1] ?? '', combination: evidence.hardware.BUS_ADDR.combination },
  });
});
afterAll(() => farm?.stop());

it('the sizes of stored measurements are found, and each is judged by the rule for all metrics', () => {
  const [series, ...others] = sizeSeries(comparison.metrics);
  expect(others).toEqual([]);
  expect(series).toMatchObject({ suite: 'p2p-pair', series: 'ib_write_bw.odp.average', unit: 'MiB/s' });
  expect(series?.points.map(({ bytes, metric: { says, a, b } }) => [bytes, says, a?.boots, b?.boots])).toEqual([
    [64, 'unclear', BOOTS, BOOTS],
    [512, 'unclear', BOOTS, BOOTS],
    [4096, 'better', BOOTS, BOOTS],
    [65_536, 'better', BOOTS, BOOTS],
    [1_048_576, 'better', BOOTS, BOOTS],
  ]);
  expect(comparison.metrics.filter(({ size }) => size === null).length).toBeGreaterThan(0);
});

it('are a table for a cover letter', () => {
  expect(renderSizes(comparison)).toMatch(/\| 64 KiB +\| +261 \(256–266\) \| +522 \(512–532\) \| +×2 \(.* better +\|/);
});
