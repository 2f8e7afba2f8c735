import fc from 'fast-check';
import { expect, it } from 'vitest';
import { metricId, metricName, metricPath, ofRole } from './metric-name.js';
import { metricNames } from './report/metrics.js';

const METRIC = { suite: 's', name: 'bw.64', unit: 'MiB/s', better: 'higher' };
const CLIENT = { ...METRIC, role: 'client' };

it('a metric is called by its name, and with its role where there are several', () => {
  expect([metricName(METRIC), metricName({ ...METRIC, role: undefined })]).toEqual(['bw.64', 'bw.64']);
  expect([metricName(CLIENT), metricPath(CLIENT), metricPath(METRIC)]).toEqual([
    'bw.64 (client)',
    's/bw.64 (client)',
    's/bw.64',
  ]);
});

it('beside each other metrics have their role, and their suite only where a name is there twice', () => {
  const server = { ...METRIC, role: 'server' };
  expect(metricNames([METRIC, CLIENT, server])).toEqual(['bw.64', 'bw.64 (client)', 'bw.64 (server)']);
  expect(metricNames([CLIENT, { ...CLIENT, suite: 'other' }, server])).toEqual([
    's/bw.64 (client)',
    'other/bw.64 (client)',
    'bw.64 (server)',
  ]);
});

it('what it is known by differs where any part does, also where the texts for people are the same', () => {
  expect(metricPath({ ...METRIC, name: 'bw.64 (client)' })).toBe(metricPath(CLIENT));
  expect(metricId({ ...METRIC, name: 'bw.64 (client)' })).not.toBe(metricId(CLIENT));
  const part = fc.constantFrom('a', 'a (b)', 'b', 'a\nb', 'a/b', '"', 'null');
  const metric = fc.record({
    suite: part,
    name: part,
    role: fc.option(part, { nil: undefined }),
    unit: part,
    better: fc.constantFrom('lower', 'higher'),
  });
  fc.assert(
    fc.property(metric, metric, (x, y) => {
      expect(metricId(x) === metricId(y)).toBe(JSON.stringify(Object.entries(x)) === JSON.stringify(Object.entries(y)));
    }),
  );
});

it('a view has the role of a job with several only', () => {
  expect([ofRole({ role: 'client' }), ofRole({ role: null }), ofRole({})]).toEqual([{ role: 'client' }, {}, {}]);
});
