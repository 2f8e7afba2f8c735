import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';

/** What one submitter gives must not keep the attempts of others from ending. */
let farm: TestFarm;
let agent: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start();
  agent = await farm.agent({ m1: 'BUS_ADDR', m2: 'BUS_ADDR' });
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
});

async function submit(machine: string, suites: string, key: string): Promise<string> {
  const yaml = `name: r\nbuilds: [{name: b, bundle: ${key}}]\nmachines: {names: [${machine}]}\nsuites: ${suites}\n`;
  await farm.call('submitRun', { body: { yaml } });
  return (await agent.take('test')).participantId;
}

const expire = () =>
  farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
const stateOf = async (id: string) =>
  (await farm.sql.one<{ state: string }>('select state from attempt where id = $1', [id]))?.state;

it('a run that names a suite twice, and a bundle that names a test twice, end like any other', async () => {
  const { manifest } = await farm.bundle('twice');
  await farm.sql.run(
    `update bundle set manifest = jsonb_set(manifest, '{suites,0,tests}', '["x", "x", "y"]') where key = $1`,
    [manifest.key],
  );
  const [suite = ''] = manifest.suites.map(({ name }) => name);
  const id = await submit('m1', `[${suite}, ${suite}]`, manifest.key);
  await expire();
  await farm.dispatch.reap();
  expect(await stateOf(id)).toBe('ended');
  const results = await farm.sql.rows<{ test: string }>('select test from result where attempt_id = $1 order by 1', [
    id,
  ]);
  expect(results.map(({ test }) => test)).toEqual(['x', 'y']);
  await farm.sql.run(`update job set state = 'ended' where state = 'queued'`);
});

it('an attempt that cannot be ended keeps no other one from it', async () => {
  const { manifest } = await farm.bundle('sound');
  const [broken, sound] = [
    await submit('m1', '[p2p-functional]', manifest.key),
    await submit('m2', '[p2p-functional]', manifest.key),
  ];
  await farm.sql.run(
    `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'it cannot be ended'; end $$`,
  );
  await farm.sql.run(
    `create trigger refuse before update on attempt for each row when (old.id = '${broken}') execute function refuse()`,
  );
  await expire();
  await farm.dispatch.reap();
  expect(await stateOf(sound)).toBe('ended');
  expect(await stateOf(broken)).not.toBe('ended');
});
