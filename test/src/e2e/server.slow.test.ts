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
/** The first bus of a socket, the group of each function below its switch, and how the IOMMU treats that. */
const GROUPS = `for device in /sys/bus/pci/devices/*; do
  case $(readlink -f $device) in
  */pci0000:40/*) bus=40 ;;
  */pci0000:80/*) bus=80 ;;
  *) continue ;;
  esac
  echo "$bus $(basename "$(readlink -f $device/iommu_group)") $(cat $device/iommu_group/type)"
done`;
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

  it('has an IOMMU, and a group of its own for what lies in each socket', async () => {
    const groups = (await site.shell(GROUPS)).trim().split('\n');
    expect(
      groups.every((line) => /^(?:40|80) \d+ identity$/.test(line)),
      groups.join('; '),
    ).toBe(true);
    const of = (bus: string): string[] => groups.filter((line) => line.startsWith(bus));
    expect([of('40').length > 0, of('80').length > 0]).toEqual([true, true]);
    const numbers = (bus: string): Set<string | undefined> => new Set(of(bus).map((line) => line.split(' ')[1]));
    expect([...numbers('40')].filter((group) => numbers('80').has(group))).toEqual([]);
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
