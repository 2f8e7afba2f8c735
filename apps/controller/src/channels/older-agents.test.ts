import { readFileSync } from 'node:fs';
import { AGENT_PROTOCOL, AGENT_PROTOCOLS, FromAgent, type HeldParticipant, ToAgent } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { inProtocol } from './older-agents.js';

const fixture = (name: string): Record<string, Record<string, unknown>> =>
  JSON.parse(readFileSync(new URL(`../../contracts/fixtures/agent-v4/${name}`, import.meta.url), 'utf8')) as Record<
    string,
    Record<string, unknown>
  >;
/** What an agent of protocol 4 can read: it hangs up on anything else. */
const readable = z.fromJSONSchema(fixture('to-agent.schema.json'));

/** Values of `type` anywhere in a JSON Schema. */
function typesIn(schema: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(schema)) for (const part of schema) typesIn(part, found);
  else if (schema !== null && typeof schema === 'object') {
    const { properties } = schema as { properties?: { type?: { const?: unknown } } };
    if (typeof properties?.type?.const === 'string') found.add(properties.type.const);
    for (const part of Object.values(schema)) typesIn(part, found);
  }
  return found;
}

const typesOf = (messages: unknown): Set<string> => {
  const found = new Set<string>();
  JSON.stringify(messages, (key, value: unknown) => {
    if (key === 'type' && typeof value === 'string') found.add(value);
    return value;
  });
  return found;
};

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

const MACHINE = { machine: 'm1', stage: 'test', nextSeq: { serial: 2 } } as const;
const finish = { type: 'finished', failure: null, restored: true, lineCounts: { serial: 2 } } as const;

async function connect(
  protocol: number,
  held: HeldParticipant[] = [],
): Promise<{ agent: FakeAgent; welcome: ToAgent & { type: 'welcome' } }> {
  const token = await farm.token('agent', 'old');
  const agent = await FakeAgent.connect(farm.server.url, token, { name: 'old', machines: ['m1'], protocol });
  return { agent, welcome: await agent.hello(held) };
}

it.each([4])('an agent of protocol %i is served: it works, reconnects and finishes', async (protocol) => {
  const first = await farm.agent({ m1: 'BUS_ADDR' }, { name: 'old', protocol });
  const { manifest } = await farm.bundle(`old-${protocol}`);
  const yaml = `name: old\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
  const run = await farm.call('submitRun', { body: { yaml } });
  const { participantId, fence } = await first.take('test');
  await first.log({ participantId, fence }, 'serial', 0, ['one']);
  first.heartbeat([{ participantId, fence, ...MACHINE }]);
  expect((await first.next('renewed')).participants).toEqual([{ participantId, fence }]);
  await first.log({ participantId, fence }, 'serial', 1, ['two']);
  first.vanish();
  const { agent, welcome } = await connect(protocol, [{ participantId, fence, ...MACHINE }]);
  const ackedNext = { agent: 0, build: 0, events: 0, kernel: 0, serial: 2, test: 0 };
  expect(welcome.participants).toEqual([{ participantId, fence, ackedNext }]);
  await agent.events({ participantId, fence }, 0, finish);
  expect(await farm.call('getRun', { params: { run: run.id } })).toMatchObject({ state: 'ended' });
  for (const message of [...first.raw, ...agent.raw]) expect(() => readable.parse(message)).not.toThrow();
  expect(first.raw.length).toBeGreaterThan(3);
  agent.vanish();
});

describe('the agent channel, version 4', () => {
  it('is still one of the versions', () => {
    expect(AGENT_PROTOCOLS).toEqual([4, AGENT_PROTOCOL]);
  });

  it.each(Object.entries(fixture('from-agent.json')))('the controller reads %s as it was meant', (_, frame) => {
    expect(FromAgent.parse(frame)).toMatchObject(frame);
  });

  it.each(Object.entries(fixture('to-agent.json')))('%s is still what it gets', (_, message) => {
    const sent = inProtocol(ToAgent.parse(message), 4);
    expect(sent).toEqual(message);
    expect(() => readable.parse(sent)).not.toThrow();
  });

  it('has an example of every message and every event that it knew', () => {
    for (const side of ['from-agent', 'to-agent']) {
      const known = typesIn(fixture(`${side}.schema.json`));
      expect(known.size).toBeGreaterThanOrEqual(8);
      expect([...known].filter((type) => !typesOf(fixture(`${side}.json`)).has(type))).toEqual([]);
    }
  });

  it('gets no message that it has no word for', () => {
    const sent = new Set(ToAgent.options.map(({ shape }) => shape.type.value));
    const known = typesIn(fixture('to-agent.schema.json'));
    for (const type of sent) {
      const message = { type } as unknown as ToAgent;
      expect([type, inProtocol(message, 4) !== null]).toEqual([type, known.has(type)]);
      expect(inProtocol(message, AGENT_PROTOCOL)).toBe(message);
    }
  });
});

it('an agent of protocol 4 gets no job with several roles, and says why in the reason of the job', async () => {
  const old = await farm.agent({ g1: 'BUS_ADDR', g2: 'BUS_ADDR' }, { name: 'older', protocol: 4 });
  const { manifest } = await farm.bundle('old-roles');
  const yaml = `name: gang
builds: [{name: b, bundle: ${manifest.key}}]
roles: [{name: client, machines: {names: [g1]}}, {name: server, machines: {names: [g2]}}]
`;
  const run = await farm.call('submitRun', { body: { yaml } });
  expect(await farm.dispatch.dispatch()).toBe(0);
  const { jobViews } = await farm.call('getRun', { params: { run: run.id } });
  expect(jobViews).toMatchObject([{ state: 'queued' }]);
  old.vanish();
  const newer = await farm.agent({ g1: 'BUS_ADDR', g2: 'BUS_ADDR' }, { name: 'older' });
  const [client, server] = [await newer.take('test'), await newer.take('test')];
  expect([client.role, server.role].toSorted()).toEqual(['client', 'server']);
  newer.vanish();
});
