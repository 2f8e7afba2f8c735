import { readFileSync } from 'node:fs';
import {
  AGENT_PROTOCOL,
  AGENT_PROTOCOLS,
  FromAgent,
  type HeldParticipant,
  SOLE_ROLE,
  ToAgent,
} from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import { fromOlder, inProtocol, inVersion3 } from './older-agents.js';

const fixture = (name: string): Record<string, Record<string, unknown>> =>
  JSON.parse(readFileSync(new URL(`../../contracts/fixtures/agent-v3/${name}`, import.meta.url), 'utf8')) as Record<
    string,
    Record<string, unknown>
  >;
/** What an agent of protocol 3 can read: it hangs up on anything else. */
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

/** What the recorded message of a controller says, as a controller of today would say it. */
function inWordsOfToday(message: Record<string, unknown>): ToAgent {
  const { assignment } = message as { assignment?: Record<string, unknown> };
  if (assignment === undefined) return ToAgent.parse(fromOlder(message));
  const { attemptId } = assignment;
  const place = { attemptId, participantId: attemptId, role: SOLE_ROLE, peers: [] };
  return ToAgent.parse({ type: 'assign', assignment: { ...assignment, ...place } });
}

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

it.each([2, 3])('an agent of protocol %i is served: it works, reconnects and finishes', async (protocol) => {
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
  expect(agent.raw[0]).toMatchObject({ attempts: [{ attemptId: participantId, fence }] });
  await agent.events({ participantId, fence }, 0, finish);
  expect(await farm.call('getRun', { params: { run: run.id } })).toMatchObject({ state: 'ended' });
  for (const message of [...first.raw, ...agent.raw]) {
    expect(message).not.toHaveProperty('participantId');
    // Protocol 2 had another form of manifests.
    if (protocol === 3) expect(() => readable.parse(message)).not.toThrow();
  }
  expect(first.raw.length).toBeGreaterThan(3);
  agent.vanish();
});

describe('the agent channel, version 3', () => {
  it('is still one of the versions', () => {
    expect(AGENT_PROTOCOLS).toEqual([2, 3, AGENT_PROTOCOL]);
  });

  it.each(Object.entries(fixture('from-agent.json')))('the controller reads %s as it was meant', (_, frame) => {
    const { attemptId, attempts, ...rest } = frame as { attemptId?: string; attempts?: { attemptId: string }[] };
    const names = attempts?.map(({ attemptId: participantId, ...held }) => ({ participantId, ...held }));
    expect(FromAgent.parse(fromOlder(frame))).toMatchObject({
      ...rest,
      ...(attemptId === undefined ? {} : { participantId: attemptId }),
      ...(names === undefined ? {} : { participants: names }),
    });
  });

  it.each(Object.entries(fixture('to-agent.json')))('%s is still what it gets', (_, message) => {
    const sent = inVersion3(inWordsOfToday(message));
    expect(sent).toMatchObject(message);
    expect(() => readable.parse(sent)).not.toThrow();
  });

  it('has an example of every message and every event that it knew', () => {
    for (const side of ['from-agent', 'to-agent']) {
      const known = typesIn(fixture(`${side}.schema.json`));
      expect(known.size).toBeGreaterThanOrEqual(8);
      expect([...known].filter((type) => !typesOf(fixture(`${side}.json`)).has(type))).toEqual([]);
    }
  });

  it('hears nothing of peers', () => {
    const stop = { type: 'stop', participantId: '6b0e9f6e-3f0d-4a57-9a39-0d6f8a1c2b3d', reason: 'r' } as const;
    expect(inProtocol(stop, 3)).toBeNull();
    expect(inProtocol(stop, AGENT_PROTOCOL)).toEqual(stop);
    expect(readable.safeParse(stop).success).toBe(false);
  });
});

it('version 2 is told of one feature, whether the kernel has it', () => {
  const assign = inWordsOfToday(fixture('to-agent.json')['assign-test'] ?? {});
  expect(assign).toMatchObject({ assignment: { work: { manifest: { features: ['dma_alias'] } } } });
  const before = { assignment: { work: { manifest: { features: { dmaAlias: true } } } } };
  expect(inProtocol(assign, 2)).toMatchObject(before);
});

it.each([
  [{ attempts: 'none' }, { participants: 'none' }],
  [{ attempts: [null, 7, [], { attemptId: 5 }] }, { participants: [null, 7, [], { participantId: 5 }] }],
  [{ attemptId: null }, { participantId: null }],
  [
    { attemptId: 'a', participantId: 'b' },
    { attemptId: 'a', participantId: 'b' },
  ],
])('a frame that makes no sense stays senseless: %j', (frame, read) => {
  expect(fromOlder(frame)).toEqual(read);
});
