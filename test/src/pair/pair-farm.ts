import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type FakeBundle,
  type FakeLab,
  type FakeTest,
  InProcessAgent,
  makeFakeBundle,
  startFakeLab,
} from '@peerlab/agent/fake';
import type { AnswerOf, Role } from '@peerlab/contracts';
import { TestFarm } from '@peerlab/controller/testing/farm';
import type { z } from 'zod';
import { FAKE_INVENTORY } from '../faults/lab.js';

export type AttemptView = AnswerOf<'getAttempt'>;
type RoleName = z.infer<typeof Role>;

export const PAIR_SUITE = 'pair';

/** One machine of a pair and the agent that has it. */
export interface Side {
  lab: FakeLab;
  agent: InProcessAgent;
}

export interface PairOptions {
  /** Tests of both sides. */
  tests: readonly string[];
  testTimeoutSeconds?: number;
  /** One agent has both machines. */
  sharesAgent?: boolean;
}

/** A controller, two fake machines and their one or two agents, all in this process: what a run with two roles needs. */
export class PairFarm {
  readonly #folder: string;
  readonly #tests: readonly string[];

  private constructor(
    readonly farm: TestFarm,
    readonly server: Side,
    readonly client: Side,
    readonly bundleKey: string,
    folder: string,
    tests: readonly string[],
  ) {
    this.#folder = folder;
    this.#tests = tests;
  }

  static async start({ tests, testTimeoutSeconds = 10, sharesAgent = false }: PairOptions): Promise<PairFarm> {
    const farm = await TestFarm.start();
    const folder = await mkdtemp(join(tmpdir(), 'pair-'));
    const suite = { name: PAIR_SUITE, testTimeoutSeconds, timeoutSeconds: 120, tests };
    const bundle = await makeFakeBundle(folder, [suite]);
    const labs = [await labOf(folder, 'fake-a', bundle, tests), await labOf(folder, 'fake-b', bundle, tests)] as const;
    const agent = async (name: string, own: readonly FakeLab[]): Promise<InProcessAgent> =>
      new InProcessAgent({
        controller: farm.server.url,
        token: await farm.token('agent', name),
        name,
        folder: join(folder, name),
        machines: own.map(({ machine }) => machine),
      });
    const first = await agent('lab-a', sharesAgent ? labs : [labs[0]]);
    const second = sharesAgent ? first : await agent('lab-b', [labs[1]]);
    for (const each of new Set([first, second])) each.start();
    await farm.upload(bundle.sha256, await readFile(bundle.tar));
    const { key } = await farm.call('registerBundle', { body: { manifest: bundle.manifest, sha256: bundle.sha256 } });
    const pair = new PairFarm(
      farm,
      { lab: labs[0], agent: first },
      { lab: labs[1], agent: second },
      key,
      folder,
      tests,
    );
    await farm.until('both machines', async () => {
      const { machines } = await farm.call('getFleet', {});
      return machines.filter(({ paths }) => paths.length > 0).length === 2;
    });
    return pair;
  }

  /** Both machines do again what a machine does by itself: they boot, and their tests pass. */
  reset(): void {
    for (const { lab } of [this.server, this.client]) script(lab, this.#tests);
  }

  sideOf(role: RoleName): Side {
    return role === 'server' ? this.server : this.client;
  }

  /** Starts a run with a server on fake-a and a client on fake-b; resolves to the run's id. */
  async submit(): Promise<string> {
    const yaml = `name: pair
builds: [{name: b, bundle: ${this.bundleKey}}]
suites: [${PAIR_SUITE}]
roles:
  - {name: server, machines: {names: [fake-a]}}
  - {name: client, machines: {names: [fake-b]}}
`;
    const { id } = await this.farm.call('submitRun', { body: { yaml } });
    return id;
  }

  /** The newest attempt of a run, when it is as `accepts` says. */
  async attemptOf(run: string, what: string, accepts: (attempt: AttemptView) => boolean): Promise<AttemptView> {
    const { farm } = this;
    const found = await farm.until(
      what,
      async () => {
        const [row] = await farm.sql.rows<{ id: string }>(
          `select t.id from attempt t join job j on j.id = t.job_id where j.run_id = $1 order by t.number desc limit 1`,
          [run],
        );
        return row === undefined ? null : farm.call('getAttempt', { params: { attempt: row.id } });
      },
      (attempt) => attempt !== null && accepts(attempt),
    );
    if (found === null) throw new Error('unreachable');
    // Its parts are read by several statements: those that came before its end do not know of that.
    return farm.call('getAttempt', { params: { attempt: found.id } });
  }

  async stop(): Promise<void> {
    for (const { agent, lab } of [this.server, this.client]) {
      agent.die();
      await lab.fake.stop();
    }
    await this.farm.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function labOf(folder: string, name: string, bundle: FakeBundle, tests: readonly string[]): Promise<FakeLab> {
  const number = name === 'fake-a' ? 1 : 2;
  const link = { device: 'peer0', address: `10.77.0.${number}/24` };
  const lab = await startFakeLab(await mkdtemp(join(folder, `${name}-`)), { name, bundle, link });
  lab.fake.inventory = FAKE_INVENTORY;
  script(lab, tests);
  return lab;
}

function script({ fake }: FakeLab, tests: readonly string[]): void {
  const scripted: FakeTest[] = tests.map((id) => ({ id, act: 'pass' }));
  fake.suites = { [PAIR_SUITE]: scripted };
  fake.candidateBoots = ['up'];
  fake.programs.clear();
  fake.answers.clear();
  fake.onEvent = () => undefined;
}
