import { readFileSync } from 'node:fs';
import { type HeldAttempt, ToAgent } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { inVersion1, inVersion2 } from './older-agents.js';

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../contracts/fixtures/agent-v1/${name}`, import.meta.url), 'utf8'));
/** What an agent of version 1 can read: it hangs up on anything else. */
const readable = z.fromJSONSchema(fixture('to-agent.schema.json') as Parameters<typeof z.fromJSONSchema>[0]);

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

const MACHINE = { machine: 'm1', stage: 'test', nextSeq: { serial: 2 } } as const;
const finish = { type: 'finished', failure: null, restored: true, lineCounts: { serial: 2 } } as const;

async function connect(
  held: HeldAttempt[] = [],
): Promise<{ agent: FakeAgent; welcome: ToAgent & { type: 'welcome' } }> {
  const token = await farm.token('agent', 'old');
  const agent = await FakeAgent.connect(farm.server.url, token, { name: 'old', machines: ['m1'], protocol: 1 });
  return { agent, welcome: await agent.hello(held) };
}

describe('an agent of protocol 1', () => {
  it('is served: it works, reconnects and finishes, and never gets a message that it cannot read', async () => {
    const first = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'old', protocol: 1 });
    const { manifest } = await farm.bundle('old');
    const yaml = `name: old\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
    const run = await farm.call('submitRun', { body: { yaml } });
    const { attemptId, fence } = await first.take('test');
    await first.log({ attemptId, fence }, 'serial', 0, ['one']);
    first.heartbeat([{ attemptId, fence, ...MACHINE }]);
    await first.log({ attemptId, fence }, 'serial', 1, ['two']);
    first.vanish();
    const { agent, welcome } = await connect([{ attemptId, fence, ...MACHINE }]);
    expect(welcome).toEqual({
      type: 'welcome',
      protocol: 1,
      agent: 'old',
      attempts: [{ attemptId, fence, ackedNext: { agent: 0, build: 0, events: 0, kernel: 0, serial: 2, test: 0 } }],
    });
    await agent.events({ attemptId, fence }, 0, finish);
    expect(await farm.call('getRun', { params: { run: run.id } })).toMatchObject({ state: 'ended' });
    for (const message of [...first.raw, ...agent.raw]) expect(() => readable.parse(message)).not.toThrow();
    expect(first.raw.length).toBeGreaterThan(3);
    agent.vanish();
  });

  it('is told without a code to drop what was taken from it', async () => {
    const { agent } = await connect();
    const { manifest } = await farm.bundle('old-again');
    await farm.call('submitRun', { body: { yaml: `name: o\nbuilds: [{name: b, bundle: ${manifest.key}}]\n` } });
    const { attemptId, fence } = await agent.take('test');
    const held = { attemptId, fence, ...MACHINE };
    agent.heartbeat([held]);
    await agent.log({ attemptId, fence }, 'serial', 0, ['one']);
    await farm.sql.run(`update lease set expires_at = clock_timestamp() - interval '1 s' where released_at is null`);
    await farm.dispatch.reap();
    expect(await agent.next('drop')).toEqual({ type: 'drop', attemptId, reason: expect.any(String) });
    agent.vanish();
    // Its welcome leaves the attempt out, which means the same to it.
    const again = await connect([held]);
    expect(again.welcome.attempts).toEqual([]);
    for (const message of [...agent.raw, ...again.agent.raw]) expect(() => readable.parse(message)).not.toThrow();
    again.agent.vanish();
  });
});

it('what version 1 has no word for is left out, and the rest stays as it was', () => {
  const fixtures = Object.values(fixture('to-agent.json') as Record<string, object>);
  const messages = fixtures.map((message) => ToAgent.parse(message));
  for (const [at, message] of messages.entries()) expect(inVersion1(message)).toMatchObject(fixtures[at] ?? {});
  const assigned = messages.find((message) => message.type === 'assign');
  if (assigned === undefined) throw new Error('there is no fixture of an assignment');
  const told = { ...assigned, assignment: { ...assigned.assignment, forgedFence: 99 } };
  expect(inVersion1(told)).toEqual(inVersion1(assigned));
  const builds = messages.filter((message) => message.type === 'assign' && message.assignment.work.kind === 'build');
  expect(builds.length).toBeGreaterThan(0);
  for (const build of builds) {
    if (build.type !== 'assign') continue;
    const work = { ...build.assignment.work, cacheDomain: 'a' } as typeof build.assignment.work;
    expect(inVersion1({ ...build, assignment: { ...build.assignment, work } })).toEqual(inVersion1(build));
  }
  expect(inVersion1({ type: 'renewed', beat: 1, leaseSeconds: 30, attempts: [] })).toBeNull();
  expect(readable.safeParse({ type: 'renewed', beat: 1, leaseSeconds: 30, attempts: [] }).success).toBe(false);
});

it('versions 1 and 2 are told of one feature, whether the kernel has it', () => {
  const assign = ToAgent.parse((fixture('to-agent.json') as Record<string, unknown>)['assign-test']);
  expect(assign).toMatchObject({ assignment: { work: { manifest: { features: ['dma_alias'] } } } });
  const before = { assignment: { work: { manifest: { features: { dmaAlias: true } } } } };
  expect(inVersion1(assign)).toMatchObject(before);
  expect(inVersion2(assign)).toMatchObject(before);
});
