import { type AttemptEvent, FRAME_MAX_BYTES, FromAgent } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { EVENT_MAX_BYTES, fitEvent, fitStoredEvent } from './fit-event.js';

const HEAVY = 'é'.repeat(FRAME_MAX_BYTES);
const result = {
  suite: 's',
  test: HEAVY,
  status: 'fail',
  reason: HEAVY,
  durationMs: 1,
  proof: { test: HEAVY, expected: 'peer', taken: HEAVY },
  warnings: Array(1000).fill('w'.repeat(19_000)),
  signature: HEAVY,
  log: null,
};
const manifest = {
  schema: 1,
  key: 'a'.repeat(64),
  release: '7.3.4',
  buildId: 'ab'.repeat(20),
  base: { version: HEAVY, sha256: 'a'.repeat(64) },
  series: [],
  config: { name: 'peerlab', sha256: 'a'.repeat(64) },
  toolchain: 'gcc',
  features: ['dma_alias'],
  modules: [],
  suites: Array.from({ length: 8 }, () => ({
    name: 's',
    kind: 'functional',
    command: ['s'],
    timeoutSeconds: 1,
    testTimeoutSeconds: 1,
    tests: Array(5000).fill('t'.repeat(200)),
  })),
  files: {},
};
const sighting = { phase: 'candidate', release: HEAVY, buildId: HEAVY, bootId: HEAVY, nonce: HEAVY, proven: false };

/** Every kind of event, with everything in it far too long. */
const TOO_LARGE: Record<AttemptEvent['type'], object> = {
  stage: { type: 'stage', stage: 'test', status: 'failed', detail: HEAVY },
  kernel: { type: 'kernel', sighting: { ...sighting, detail: HEAVY, commandLine: HEAVY } },
  plan: { type: 'plan', suite: 's', tests: Array(20_000).fill('t'.repeat(1000)) },
  result: { type: 'result', result },
  measurement: {
    type: 'measurement',
    suite: 's',
    test: HEAVY,
    metric: { name: HEAVY, unit: HEAVY, better: 'lower', samples: Array(20_000).fill(1.2345678901234), params: {} },
  },
  'call-places': {
    type: 'call-places',
    // Many of them: each is long enough to be cut, and all together are some 30 MB.
    places: Array.from({ length: 300 }, () => ({
      call: 'c'.repeat(1000),
      frames: Array.from({ length: 20 }, () => ({ name: 'n'.repeat(2000), file: 'é'.repeat(1500), line: 1 })),
    })),
  },
  file: { type: 'file', file: { suite: 's', name: 'n', sha256: 'a'.repeat(64), sizeBytes: 1 } },
  'build-progress': { type: 'build-progress', percent: 1, text: HEAVY },
  built: { type: 'built', manifest, bundle: { sha256: 'a'.repeat(64), sizeBytes: 1 }, cached: false },
  'build-failed': { type: 'build-failed', error: { class: 'compile', detail: HEAVY } },
  finished: {
    type: 'finished',
    failure: { class: 'agent-bug', stage: null, message: HEAVY, signature: HEAVY },
    restored: true,
    lineCounts: {},
  },
};

describe('an event that is larger than a frame', () => {
  it.each(Object.entries(TOO_LARGE))('is sent in a smaller form: %s', (type, event) => {
    const small = fitEvent(event as AttemptEvent);
    expect(Buffer.byteLength(JSON.stringify(small))).toBeLessThanOrEqual(EVENT_MAX_BYTES);
    expect(small.type).toBe(type === 'built' ? 'build-failed' : type);
    const attempt = { participantId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d11', fence: 1 };
    const frame = { type: 'events', ...attempt, events: [{ seq: 0, at: 1, event: small }] };
    expect(FromAgent.safeParse(frame).error).toBeUndefined();
  });

  it('that is none at all, in a spool, does not end the stream', () => {
    expect(fitStoredEvent({ type: 'stage' } as AttemptEvent).type).toBe('build-progress');
    expect(() => fitEvent({ type: 'stage' } as AttemptEvent)).toThrow();
  });
});
