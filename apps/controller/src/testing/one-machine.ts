import type { FakeAgent } from './fake-agent.js';
import { TestFarm } from './farm.js';

const MACHINE = { params: { machine: 'm1' } } as const;

/** A farm with one machine, m1, and a run for it. It does not check machines by itself, which is the default. */
export class OneMachine {
  readonly #yaml: string;

  private constructor(
    readonly farm: TestFarm,
    readonly agent: FakeAgent,
    bundle: string,
  ) {
    this.#yaml = `name: one\nbuilds: [{name: b, bundle: ${bundle}}]\nsuites: [p2p-functional]\nmachines: {names: [m1]}\n`;
  }

  static async start(): Promise<OneMachine> {
    const farm = await TestFarm.start();
    const agent = await farm.agent({ m1: 'BUS_ADDR' });
    return new OneMachine(farm, agent, (await farm.bundle('one-machine')).manifest.key);
  }

  async stop(): Promise<void> {
    this.agent.vanish();
    await this.farm.stop();
  }

  readonly submit = () => this.farm.call('submitRun', { body: { yaml: this.#yaml } });
  readonly machine = () => this.farm.call('getMachine', MACHINE);
  readonly changes = () => this.farm.call('listMachineChanges', MACHINE);
  /** As a person does who mended it. */
  readonly activate = () =>
    this.farm.call('setMachine', { ...MACHINE, body: { desired: 'active', reason: 'it was mended' } });
}
