import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttemptDetail, RunDetail, RunSpec } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { BareSite, type Ended } from './bare-site.js';
import { RUN_MS, ServerRuns } from './enrolled-server.js';
import { runToTheEnd } from './started-farm.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const SERVER = 's-two-sockets';
/** A disk image, and a boot of a distribution's own kernel under emulation beside other work. */
const START_MS = 60 * 60_000;

describe('a virtual server with two sockets', () => {
  let site: BareSite;
  let enrolled: Ended;

  beforeAll(async () => {
    site = await BareSite.start(SERVER);
    enrolled = await site.enrol('--bmc', SERVER, '--console', 'sol', '--labels', 'set=two-sockets');
  }, START_MS);
  afterAll(() => site?.remove());

  it('has a path within each socket and none between them', () => {
    expect(enrolled.code, enrolled.stderr).toBe(0);
    expect(enrolled.stdout).toMatch(
      /pass devices .*providers: (?:[^;]+ at 0000:4\d:[^;]+), (?:[^;]+ at 0000:8\d:[^;]+);/,
    );
    expect(enrolled.stdout).toMatch(/pass paths .*predicted: 2 BUS_ADDR, 2 NOT_SUPPORTED/);
  });

  describe('with a job on one pair of each kind', () => {
    let run: RunDetail;
    let tests: AttemptDetail[];

    beforeAll(async () => {
      await site.startAgent();
      const spec = parse(await readFile(join(root, 'infra/runs/servers.yaml'), 'utf8')) as RunSpec;
      run = await runToTheEnd(site.client, JSON.stringify({ ...spec, machines: { names: [SERVER] } }), RUN_MS);
      tests = await new ServerRuns(site).testsOf(run);
    }, RUN_MS);

    it('takes the way that was predicted, and passes', () => {
      // Of the tests that go by the peer path where there is one: one test asks both providers, which has two ways anywhere.
      const ways = tests.map(({ results }) => [
        ...new Set(
          results.flatMap(({ verdict, proof }) =>
            verdict === 'pass' && proof?.expected === 'peer' ? [proof.taken] : [],
          ),
        ),
      ]);
      expect(ways).toHaveLength(2);
      expect(ways).toEqual(expect.arrayContaining([['BUS_ADDR'], ['ram']]));
      const bad = tests.flatMap(({ results }) => results.filter(({ verdict }) => !['pass', 'skip'].includes(verdict)));
      expect(bad.map(({ suite, test, verdict, reason }) => `${suite} ${test}: ${verdict} ${reason ?? ''}`)).toEqual([]);
      for (const { results } of tests)
        expect(results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(50);
      expect(run.verdict).toBe('pass');
    });

    it('restores the server after each', () => {
      expect(tests).toHaveLength(2);
      for (const { restored } of tests) expect(restored).toBe(true);
    });
  });
});
