import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../../testing/farm.js';
import { VERSION } from '../version.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start({ publicReads: false });
});
afterAll(() => farm.stop());

/** Value of a metric by its name with labels, as in the text. */
async function valueOf(metric: string): Promise<number | null> {
  const text = await farm.call('metrics', {});
  const line = String(text)
    .split('\n')
    .find((candidate) => candidate.startsWith(`peerlab_${metric} `));
  return line === undefined ? null : Number(line.slice(line.lastIndexOf(' ')));
}

it('are for readers, in the form of Prometheus', async () => {
  expect((await farm.request('metrics', {}, null)).status).toBe(401);
  expect((await farm.request('metrics', {}, await farm.token('agent', 'reader'))).status).toBe(403);
  const answer = await farm.request('metrics', {});
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(await valueOf(`build_info{version="${VERSION}",node="${process.version}"}`)).toBe(1);
});

it('have queue, leases, sockets, the disks of agents and how long things took', async () => {
  const agent = await farm.agent({ m1: 'BUS_ADDR' });
  const { manifest } = await farm.bundle('measured');
  const yaml = `name: m\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
  await farm.call('submitRun', { body: { yaml } });
  const taken = await agent.take('test');
  await farm.call('submitRun', { body: { yaml } });
  expect(await valueOf('queue_jobs{kind="test"}')).toBe(1);
  expect(await valueOf('queue_oldest_seconds{kind="test"}')).toBeGreaterThan(0);
  expect(await valueOf('leases{state="active"}')).toBe(1);
  expect(await valueOf('lease_oldest_seconds')).toBeGreaterThan(0);
  expect(await valueOf('sockets{channel="agents"}')).toBe(1);
  expect(await valueOf('sockets{channel="browsers"}')).toBe(0);
  expect(await valueOf('database_waiting')).toBe(0);
  expect(await valueOf('bus_connected')).toBe(1);
  await agent.log(taken, 'serial', 0, ['booting']);
  expect(await valueOf('ingest_seconds_count{frame="log"}')).toBe(1);
  expect(await valueOf('dispatch_pass_seconds_count{pass="dispatch"}')).toBeGreaterThan(0);
  expect(await valueOf('http_request_seconds_count{method="POST",route="/api/v1/runs",status="200"}')).toBe(2);
  expect(await valueOf('agent_spool_bytes{agent="lab"}')).toBeNull();
  agent.send({
    type: 'heartbeat',
    machines: agent.machines(),
    participants: [],
    spoolBytes: 4096,
    spoolLagSeconds: 1.5,
    diskFreeBytes: 10 ** 9,
  });
  await farm.until('the spool of the agent', async () => (await valueOf('agent_spool_bytes{agent="lab"}')) === 4096);
  expect(await valueOf('agent_spool_lag_seconds{agent="lab"}')).toBe(1.5);
  expect(await valueOf('agent_disk_free_bytes{agent="lab"}')).toBe(10 ** 9);
});
