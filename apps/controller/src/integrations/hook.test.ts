import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOOK_HEADERS, HOOK_TOLERANCE_SECONDS, HookAnswer, hookSigningPrefix, Problem } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { GITHUB_SECRET, HOOK_SECRET, TestFarm } from '../testing/farm.js';
import { TREE_CATALOGUE, TREE_TEMPLATE, TREE_URL } from '../testing/hooks.js';
import { sign } from './sources/signature.js';

let farm: TestFarm;
let agent: FakeAgent;
let templates: string;
let deliveries = 0;

beforeAll(async () => {
  templates = await mkdtemp(join(tmpdir(), 'templates-'));
  await writeFile(
    join(templates, 'series.yaml'),
    '# Tests a series\nname: hook\nbuilds: [{name: series, series: [bundled]}]\n',
  );
  await writeFile(join(templates, 'base.yaml'), 'name: base\nbuilds: [{name: base, series: []}]\n');
  await writeFile(join(templates, 'tree.yaml'), TREE_TEMPLATE);
  await writeFile(join(templates, 'secret.yaml'), 'name: secret\nbuilds: [{name: base, series: []}]\n');
  farm = await TestFarm.start({ templatesDir: templates });
  agent = await farm.agent({ m1: 'BUS_ADDR' }, { buildSlots: 0, catalogue: TREE_CATALOGUE });
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
  await rm(templates, { recursive: true });
});

async function post(path: string, body: string, headers: Record<string, string>): Promise<Response> {
  return fetch(farm.server.url + path, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });
}

interface Delivery {
  id?: string;
  timestamp?: number;
  secret?: string;
  hook?: string;
  /** What is signed instead of what is sent. */
  signed?: { body?: string; id?: string; timestamp?: number; hook?: string };
}

function generic(payload: object, delivery: Delivery = {}): Promise<Response> {
  deliveries += 1;
  const { secret = HOOK_SECRET, hook = 'generic', id = `d${deliveries}`, signed = {} } = delivery;
  const body = JSON.stringify(payload);
  const timestamp = delivery.timestamp ?? Math.floor(Date.now() / 1000);
  const prefix = hookSigningPrefix(signed.hook ?? hook, String(signed.timestamp ?? timestamp), signed.id ?? id);
  return post(`/api/v1/hooks/${hook}`, body, {
    [HOOK_HEADERS.timestamp]: String(timestamp),
    [HOOK_HEADERS.delivery]: id,
    [HOOK_HEADERS.signature]: sign(secret, prefix, signed.body ?? body),
  });
}

/** A delivery that starts nothing. */
function ping(id: string): Promise<Response> {
  const body = JSON.stringify({ zen: id });
  return post('/api/v1/hooks/github', body, {
    'x-github-event': 'ping',
    'x-github-delivery': id,
    'x-hub-signature-256': sign(GITHUB_SECRET, body),
  });
}

const problem = async (response: Response) => Problem.parse(await response.json());
const answer = async (response: Response) => HookAnswer.parse(await response.json());

describe('the generic hook', () => {
  it('starts a run from a template and says what triggered it', async () => {
    const { status, runId } = await answer(
      await generic({ template: 'tree', ref: 'main', commit: 'abcdef01'.repeat(5) }),
    );
    expect(status).toBe('started');
    const run = await farm.call('getRun', { params: { run: runId ?? '' } });
    expect(run.trigger).toEqual({ kind: 'webhook', detail: 'generic: tree main abcdef01abcd' });
    expect(run.spec.builds[0]?.git).toEqual({ url: TREE_URL, ref: 'abcdef01'.repeat(5) });
  });

  it('puts a series behind those of the build named series', async () => {
    const mbox = 'From x Mon Sep 17 00:00:00 2001\nSubject: y\n\n--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n';
    const { runId } = await answer(await generic({ template: 'series', mbox }));
    const run = await farm.call('getRun', { params: { run: runId ?? '' } });
    expect(run.spec.builds[0]?.series).toEqual(['bundled', { mbox }]);
    expect(run.yaml).toContain('Subject: y');
    const refused = await problem(await generic({ template: 'base', mbox }));
    expect(refused).toMatchObject({ status: 422, code: 'no-series-build' });
  });

  it('acts upon a delivery once, even when copies arrive together', async () => {
    const copies = await Promise.all([1, 2, 3, 4].map(() => generic({ template: 'base' }, { id: 'same' })));
    const answers = await Promise.all(copies.map(answer));
    expect(answers.map(({ status }) => status).toSorted()).toEqual(['duplicate', 'duplicate', 'duplicate', 'started']);
    expect(new Set(answers.map(({ runId }) => runId)).size).toBe(1);
  });

  it('refuses bad signatures and stale timestamps', async () => {
    expect(await problem(await generic({ template: 'base' }, { secret: 'another secret here' }))).toMatchObject({
      status: 401,
      code: 'bad-signature',
    });
    const now = Math.floor(Date.now() / 1000);
    for (const signed of [{ body: '{}' }, { id: 'x' }, { timestamp: now - 1 }, { hook: 'github' }]) {
      const refused = await problem(await generic({ template: 'base' }, { timestamp: now, signed }));
      expect(refused).toMatchObject({ status: 401, code: 'bad-signature' });
    }
    expect(await problem(await post('/api/v1/hooks/generic', '{}', {}))).toMatchObject({ status: 401 });
    const old = Math.floor(Date.now() / 1000) - HOOK_TOLERANCE_SECONDS - 5;
    expect(await problem(await generic({ template: 'base' }, { timestamp: old }))).toMatchObject({
      status: 401,
      code: 'stale-delivery',
    });
  });

  it('names the known templates for an unknown one, and the delivery may be sent again', async () => {
    const refused = await problem(await generic({ template: 'gone' }, { id: 'again' }));
    expect(refused).toMatchObject({ status: 422, code: 'unknown-template' });
    expect(refused.errors[0]?.message).toBe('templates are base, secret, series, tree');
    expect((await answer(await generic({ template: 'base' }, { id: 'again' }))).status).toBe('started');
    expect(await problem(await generic({ templat: 'base' }))).toMatchObject({ status: 422, code: 'invalid-input' });
  });

  it('runs the templates that it may run, and no others', async () => {
    const refused = await problem(await generic({ template: 'secret' }));
    expect(refused).toMatchObject({ status: 403, code: 'template-not-allowed' });
    expect(refused.detail).toContain('base, series, gone, tree');
  });

  it('answers alike for an unknown hook and for a wrong signature, and parses neither body', async () => {
    const wrong = await problem(await generic({ template: 'base' }, { secret: 'another secret here' }));
    const unknown = await problem(await generic({ template: 'base' }, { hook: 'nobody' }));
    const { correlationId: _, ...same } = wrong;
    expect(unknown).toMatchObject(same);
    const signature = sign('another secret here', 'x');
    for (const hook of ['generic', 'nobody', 'github']) {
      for (const body of ['{', JSON.stringify('x'.repeat(8 * 1024 * 1024))]) {
        const answered = await post(`/api/v1/hooks/${hook}`, body, { [HOOK_HEADERS.signature]: signature });
        expect(await problem(answered)).toMatchObject({ status: 401, code: 'bad-signature' });
      }
    }
  });

  it('takes no body above its limit', async () => {
    const answered = await post('/api/v1/hooks/generic', 'x'.repeat(9 * 1024 * 1024 + 1), {
      [HOOK_HEADERS.signature]: sign(HOOK_SECRET, 'x'),
    });
    expect(await problem(answered)).toMatchObject({ status: 413, code: 'too-large' });
  });

  it('says which setting is missing when there is no hooks file', async () => {
    const bare = await TestFarm.start({ hooks: null });
    const response = await fetch(`${bare.server.url}/api/v1/hooks/generic`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    const refused = await problem(response);
    await bare.stop();
    expect(refused.status).toBe(503);
    expect(refused.detail).toContain('PEERLAB_HOOKS_FILE');
  });
});

describe('the GitHub hook', () => {
  const repository = { full_name: 'me/linux' };
  const github = (event: string, payload: object, id: string, secret = GITHUB_SECRET): Promise<Response> => {
    const body = JSON.stringify(payload);
    return post('/api/v1/hooks/github', body, {
      'x-github-event': event,
      'x-github-delivery': id,
      'x-hub-signature-256': sign(secret, body),
    });
  };
  const push = { ref: 'refs/heads/main', after: 'a'.repeat(40), repository };
  const pullRequest = (action: string, digit: string) => ({
    action,
    number: 7,
    pull_request: { head: { sha: digit.repeat(40), repo: repository }, base: { ref: 'main' } },
    repository,
  });

  it('starts a run for a push and for a new state of a pull request, once each', async () => {
    expect(await answer(await github('push', push, 'g1'))).toMatchObject({
      status: 'started',
      detail: `me/linux main at ${'a'.repeat(12)}`,
    });
    expect((await answer(await github('push', push, 'g1'))).status).toBe('duplicate');
    const pull = pullRequest('synchronize', 'b');
    expect(await answer(await github('pull_request', pull, 'g2'))).toMatchObject({
      status: 'started',
      detail: `me/linux#7 at ${'b'.repeat(12)}`,
    });
  });

  it('starts one run for one signed body, under whatever id, event or template it comes again', async () => {
    const body = { ...push, after: 'c'.repeat(40) };
    const { runId } = await answer(await github('push', body, 'r1'));
    const runs = () => farm.sql.one<{ n: number }>('select count(*)::int as n from run');
    const before = await runs();
    const text = JSON.stringify(body);
    const signature = { 'x-hub-signature-256': sign(GITHUB_SECRET, text) };
    for (const [event, id, query] of [
      ['push', 'r2', ''],
      ['push', 'r3', '?template=secret'],
      ['pull_request', 'r4', ''],
      ['ping', 'r5', ''],
    ] as const) {
      const headers = { ...signature, 'x-github-event': event, 'x-github-delivery': id };
      const again = await post(`/api/v1/hooks/github${query}`, text, headers);
      if (event === 'push') expect(await answer(again)).toMatchObject({ status: 'duplicate', runId });
    }
    expect(await runs()).toEqual(before);
  });

  it('leaves one row of a signed body that starts nothing, however often it comes', async () => {
    const count = () => farm.sql.one<{ n: number }>('select count(*)::int as n from webhook_delivery');
    await github('ping', { zen: 'once' }, 'p0');
    const before = await count();
    for (let index = 1; index < 5; index += 1) await github('ping', { zen: 'once' }, `p${index}`);
    expect(await count()).toEqual(before);
  });

  it('speaks for its own repositories only', async () => {
    const other = { ...push, repository: { full_name: 'mallory/linux' } };
    expect(await problem(await github('push', other, 'o1'))).toMatchObject({ status: 403, code: 'other-repository' });
  });

  it('ignores what changes no code', async () => {
    const pull = pullRequest('labeled', 'b');
    const ignored = [
      await github('pull_request', pull, 'g3'),
      await github('ping', {}, 'g4'),
      await github('push', { ...push, deleted: true }, 'g5'),
    ];
    for (const response of ignored) expect((await answer(response)).status).toBe('ignored');
  });

  it('refuses bad signatures and payloads that are not what they say', async () => {
    expect(await problem(await github('push', push, 'g6', 'another secret here'))).toMatchObject({ status: 401 });
    expect(await problem(await github('push', { ref: 1 }, 'g7'))).toMatchObject({ status: 422 });
  });
});

describe('a commit', () => {
  it('is built, or its delivery is refused with the reason', async () => {
    const commit = 'd'.repeat(40);
    const refused = await problem(await generic({ template: 'base', commit }));
    expect(refused).toMatchObject({ status: 422, code: 'no-git-build' });
    expect(refused.detail).toContain('would not be tested');
    const unknown = await problem(await generic({ template: 'tree', commit, build: 'other' }));
    expect(unknown.detail).toContain('has the git builds pushed');
    // A beginning of it could mean two commits.
    expect(await problem(await generic({ template: 'tree', commit: 'dddddddddddd' }))).toMatchObject({ status: 422 });
  });
});

describe('the list of deliveries', () => {
  it('says of each what became of it, and comes in pages; only signed ones are there', async () => {
    const before = await farm.sql.one<{ n: number }>('select count(*) as n from webhook_delivery');
    await generic({ template: 'base' }, { secret: 'another secret here', id: 'forged' });
    const { runId } = await answer(await generic({ template: 'base', ref: 'listed' }, { id: 'list-1' }));
    expect((await generic({ template: 'gone' }, { id: 'list-2' })).status).toBe(422);
    await ping('list-3');
    const page = await farm.call('listDeliveries', { query: { limit: 2 } });
    expect(page.deliveries).toMatchObject([
      {
        deliveryId: 'list-3',
        source: 'github',
        outcome: 'ignored',
        detail: 'nothing to do for the event "ping"',
        run: null,
      },
      { deliveryId: 'list-2', outcome: 'refused', detail: expect.stringContaining('gone'), run: null },
    ]);
    const next = await farm.call('listDeliveries', { query: { limit: 200, before: page.next ?? '' } });
    expect(next.deliveries[0]).toMatchObject({
      deliveryId: 'list-1',
      outcome: 'started',
      run: { id: runId, name: 'base' },
    });
    expect(next.deliveries).toHaveLength((before?.n ?? 0) + 1);
    expect(next.next).toBeNull();
    expect((await farm.request('listDeliveries', {}, null)).status).toBe(401);

    // A refused one may come again, and is then the run's.
    expect((await answer(await generic({ template: 'base' }, { id: 'list-2' }))).status).toBe('started');
    const again = await farm.call('listDeliveries', { query: { limit: 1 } });
    expect(again.deliveries[0]).toMatchObject({ deliveryId: 'list-2', outcome: 'started' });
    // The page after its old place goes on there.
    const resumed = await farm.call('listDeliveries', { query: { limit: 1, before: page.next ?? '' } });
    expect(resumed.deliveries[0]).toMatchObject({ deliveryId: 'list-1' });
  });

  it('forgets after a while those that started nothing', async () => {
    await farm.sql.run(`update webhook_delivery set received_at = received_at - interval '91 days'`);
    const before = await farm.sql.one<{ n: number }>(
      `select count(*) as n from webhook_delivery where outcome = 'started'`,
    );
    await ping('new-1');
    const { deliveries } = await farm.call('listDeliveries', { query: { limit: 200 } });
    expect(deliveries.filter(({ outcome }) => outcome !== 'started').map(({ deliveryId }) => deliveryId)).toEqual([
      'new-1',
    ]);
    expect(deliveries).toHaveLength((before?.n ?? 0) + 1);
  });
});
