import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Inventory, MachineCheck, MachineCheckRun } from '@peerlab/contracts';
import { sampleInventory } from '../testing/samples.js';
import { TestFarm } from '../testing/farm.js';
import { INVENTORIES_KEPT } from './inventory-memory.js';
import { FleetService } from './fleet.service.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

const history = () => farm.call('getInventoryHistory', { params: { machine: 'm1' } });
const record = (inventory: Inventory) => farm.server.app.get(FleetService).recordInventory('lab', 'm1', inventory);

describe('what the newest look found', () => {
  it('is on the page of the machine, stays while the agent only reads the inventory, and is of its own agent', async () => {
    await farm.agent({ m1: 'BUS_ADDR' });
    const checks = async () => (await farm.call('getMachine', { params: { machine: 'm1' } })).checks;
    expect(await checks()).toBeNull();
    const found: MachineCheck[] = [{ name: 'space', verdict: 'fail', detail: '1 MiB free\u0000', remedy: 'make room' }];
    const fleet = farm.server.app.get(FleetService);
    const { agent } = await farm.call('getMachine', { params: { machine: 'm1' } });
    await fleet.recordInventory(agent, 'm1', sampleInventory('BUS_ADDR'), found);
    await fleet.recordInventory(agent, 'm1', sampleInventory('BUS_ADDR'));
    await fleet.recordInventory('another', 'm1', sampleInventory('BUS_ADDR'), []);
    expect((await checks())?.list).toMatchObject([{ name: 'space', verdict: 'fail', remedy: 'make room' }]);
  });

  it('stands beside what people checked there, which stays until the agent tells of another run', async () => {
    const runs = async () => (await farm.call('getMachine', { params: { machine: 'm1' } })).checkRuns;
    expect(await runs()).toEqual([]);
    const proof: MachineCheck = { name: 'fallback', verdict: 'fail', detail: 'stayed away', remedy: 'look at it' };
    const run: MachineCheckRun = { at: '2026-12-02T10:00:00.000Z', by: 'alice', acted: true, list: [proof] };
    const { agent } = await farm.call('getMachine', { params: { machine: 'm1' } });
    const fleet = farm.server.app.get(FleetService);
    await fleet.recordInventory(agent, 'm1', sampleInventory('BUS_ADDR'), null, [run]);
    await fleet.recordInventory(agent, 'm1', sampleInventory('BUS_ADDR'));
    await fleet.recordInventory('another', 'm1', sampleInventory('BUS_ADDR'), null, []);
    expect(await runs()).toEqual([run]);
  });
});

describe('the history of a machine', () => {
  it('lists its attempts, newest first, with what they ended with', async () => {
    const { manifest } = await farm.bundle('story');
    const agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' });
    const attempts = () => farm.call('listMachineAttempts', { params: { machine: 'm1' } });
    expect(await attempts()).toEqual([]);
    const yaml = `name: first\nbuilds: [{name: b, bundle: ${manifest.key}}]\nmachines: {names: [m1]}\n`;
    const run = await farm.call('submitRun', { body: { yaml } });
    const attempt = await agent.take('test');
    await agent.log(attempt, 'serial', 0, ['one', 'two']);
    expect(await attempts()).toMatchObject([
      {
        id: attempt.attemptId,
        run: { id: run.id, name: 'first' },
        build: 'b',
        verdict: null,
        serialLines: 2,
      },
    ]);
    await agent.events(attempt, 0, { type: 'finished', failure: null, restored: true, lineCounts: { serial: 2 } });
    await farm.call('submitRun', { body: { yaml: yaml.replace('first', 'second') } });
    await agent.take('test');
    const listed = await attempts();
    expect(listed.map(({ run: { name }, endedAt }) => [name, endedAt !== null])).toEqual([
      ['second', false],
      ['first', true],
    ]);
    expect(listed[1]).toMatchObject({ state: 'ended', failure: null });
    expect(await farm.call('listMachineAttempts', { params: { machine: 'm2' } })).toEqual([]);
    expect((await farm.request('listMachineAttempts', { params: { machine: 'no-such' } })).status).toBe(404);
    agent.vanish();
  });

  it('keeps an inventory when it differs from the one before, and says what is different', async () => {
    const [now = null, ...older] = (await history()).inventories;
    expect([now?.changes, older]).toEqual([null, []]);
    await record({ ...sampleInventory('BUS_ADDR'), memoryBytes: 2 ** 30 + 4096 });
    expect((await history()).inventories).toHaveLength(1);
    await record({ ...sampleInventory('BUS_ADDR'), iommu: 'translated' });
    await record(sampleInventory('THRU_HOST_BRIDGE'));
    const { inventories } = await history();
    expect(inventories).toHaveLength(3);
    expect(inventories[1]?.changes).toEqual([{ kind: 'changed', what: 'IOMMU', before: 'none', after: 'translated' }]);
    // The IOMMU is how it is set up, and the machine itself the same.
    expect(inventories[1]?.hardware).toBe(inventories[2]?.hardware);
    expect(inventories[1]?.state).not.toBe(inventories[2]?.state);
    expect(inventories[0]?.changes?.find(({ what }) => what.startsWith('peer path'))).toMatchObject({
      kind: 'changed',
      before: expect.stringContaining('BUS_ADDR') as unknown,
      after: expect.stringContaining('THRU_HOST_BRIDGE') as unknown,
    });
  });

  it('compares with what was told last, also where that alone was no difference', async () => {
    const base = sampleInventory('BUS_ADDR');
    const withFirmware = (version: string): Inventory => ({
      ...base,
      functions: base.functions.map((fn) => ({ ...fn, firmware: [{ part: 'NVMe', version }] })),
    });
    await record(base);
    const before = (await history()).inventories.length;
    // Newly told; not told, by a reading that failed in part.
    for (const same of [withFirmware('1'), base]) await record(same);
    expect((await history()).inventories).toHaveLength(before);
    await record(withFirmware('2'));
    const { inventories } = await history();
    expect(inventories).toHaveLength(before + 1);
    expect(inventories[0]?.changes).toHaveLength(base.functions.length);
    expect(inventories[0]?.changes?.[0]).toMatchObject({ kind: 'changed', before: '1', after: '2' });
    expect(inventories[0]?.changes?.[0]?.what).toMatch(/^firmware \(NVMe\) of /);
  });

  it(`forgets all but the newest ${INVENTORIES_KEPT}`, async () => {
    const base = sampleInventory('BUS_ADDR');
    for (let memoryBytes = 1; memoryBytes <= INVENTORIES_KEPT + 3; memoryBytes += 1) {
      await record({ ...base, memoryBytes: memoryBytes * 2 ** 30 });
    }
    const { inventories } = await history();
    expect(inventories).toHaveLength(INVENTORIES_KEPT);
    expect(inventories[0]?.changes).toMatchObject([{ what: 'memory', after: `${INVENTORIES_KEPT + 3}.0 GiB` }]);
    expect(inventories.at(-1)?.changes).toBeNull();
  });
});
