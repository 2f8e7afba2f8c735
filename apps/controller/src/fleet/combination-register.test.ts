import { expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';
import { sampleInventory } from '../testing/samples.js';

it('a combination gets the label of this version when a machine reports it again', async () => {
  const farm = await TestFarm.start();
  const agent = await farm.agent({ m1: 'BUS_ADDR' });
  const labels = () => farm.sql.rows<{ label: string }>('select label from combination');
  const before = await labels();
  expect(before).toEqual([{ label: 'QEMU ivshmem → QEMU edu · BUS_ADDR · AMD Zen 1/2' }]);
  await farm.sql.run(`update combination set label = 'QEMU ivshmem → QEMU edu · BUS_ADDR · AMD 0x17'`);
  agent.inventory('m1', sampleInventory('BUS_ADDR'));
  await farm.until('the label', labels, (now) => now[0]?.label === before[0]?.label);
  await farm.stop();
});
