import { HOOK_HEADERS, HookAnswer, hookSigningPrefix } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sign } from '../integrations/sources/signature.js';
import type { FakeAgent } from '../testing/fake-agent.js';
import { HOOK_SECRET, TestFarm } from '../testing/farm.js';
import { SAMPLE_RUN } from '../testing/samples.js';

/** Whose compiler cache a build may use, and what does not fit into an assignment. */
let farm: TestFarm;
let agent: FakeAgent;
beforeAll(async () => {
  farm = await TestFarm.start();
  agent = await farm.agent({ m1: 'BUS_ADDR' }, { buildSlots: 50 });
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
});

/** The domain in the assignment of a run's build. */
async function domainOf(runId: string): Promise<string | undefined> {
  const { assignment } = await agent.next('assign', (message) => message.assignment.runId === runId);
  if (assignment.work.kind !== 'build') throw new Error('not a build');
  return assignment.work.cacheDomain;
}

async function submitAs(token: string): Promise<string> {
  const response = await farm.request('submitRun', { body: { yaml: SAMPLE_RUN } }, token);
  expect(response.status).toBe(200);
  return ((await response.json()) as { id: string }).id;
}

async function retryAs(token: string, run: string): Promise<string> {
  const response = await farm.request('retryRun', { params: { run }, body: {} }, token);
  return ((await response.json()) as { id: string }).id;
}

async function deliver(): Promise<string> {
  const body = JSON.stringify({ template: 'series' });
  const timestamp = String(Math.floor(Date.now() / 1000));
  const response = await fetch(`${farm.server.url}/api/v1/hooks/generic`, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      [HOOK_HEADERS.timestamp]: timestamp,
      [HOOK_HEADERS.delivery]: 'd1',
      [HOOK_HEADERS.signature]: sign(HOOK_SECRET, hookSigningPrefix('generic', timestamp, 'd1'), body),
    },
  });
  return HookAnswer.parse(await response.json()).runId ?? '';
}

it('builds of two users have different cache domains, those of one user the same', async () => {
  const [first, second] = [await farm.token('user', 'same name'), await farm.token('user', 'same name')];
  const own = await submitAs(first);
  const domain = await domainOf(own);
  expect(domain).toMatch(/^[0-9a-f-]{36}$/);
  expect(await domainOf(await submitAs(first))).toBe(domain);
  const other = await domainOf(await submitAs(second));
  expect(other).toMatch(/^[0-9a-f-]{36}$/);
  expect(other).not.toBe(domain);
  expect(await domainOf(await retryAs(first, own))).toBe(domain);
  // It is the first one's series, which the second one did not write.
  expect(await domainOf(await retryAs(second, own))).toBeUndefined();
});

it('the build of a webhook has none, also when a user repeats it, and repeats that', async () => {
  const delivered = await deliver();
  expect(await domainOf(delivered)).toBeUndefined();
  const again = await retryAs(farm.userToken, delivered);
  expect(await domainOf(again)).toBeUndefined();
  expect(await domainOf(await retryAs(farm.userToken, again))).toBeUndefined();
});

it('a build that does not fit into an assignment is refused with its field and what to do', async () => {
  // One text, given three times by aliases.
  const yaml = `name: r\nbuilds: [{name: b, series: [{mbox: &m "${'x'.repeat(3_000_000)}"}, {mbox: *m}, {mbox: *m}]}]\n`;
  const response = await farm.request('submitRun', { body: { yaml } });
  expect(response.status).toBe(422);
  const { errors } = (await response.json()) as { errors: unknown[] };
  expect(errors).toEqual([
    expect.objectContaining({
      path: 'builds.0.series.0',
      message: expect.stringMatching(/^the patches of the build "b" have 9\d{6} bytes/),
      remedy: expect.stringContaining('artifact'),
      line: 2,
    }),
  ]);
});
