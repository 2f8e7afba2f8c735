import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HookAnswer, Problem } from '@peerlab/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../testing/fake-agent.js';
import { TestFarm } from '../testing/farm.js';
import {
  comment,
  commitOf,
  deliver,
  forgeHook,
  pullRequest,
  push,
  TREE_CATALOGUE,
  TREE_TEMPLATE,
  TREE_URL,
} from '../testing/hooks.js';

let farm: TestFarm;
let agent: FakeAgent;
let templates: string;
let commits = 0;
let commit: string;

beforeAll(async () => {
  templates = await mkdtemp(join(tmpdir(), 'templates-'));
  await writeFile(join(templates, 'tree.yaml'), TREE_TEMPLATE);
  await writeFile(join(templates, 'bare.yaml'), 'name: bare\nbuilds: [{name: base, series: []}]\n');
  const rules = [
    { repository: 'me/linux', branches: ['broken'], template: 'bare' },
    { repository: 'me/linux', branches: ['main', 'topic/*'], template: 'tree' },
    { repository: 'me/linux', labels: ['hardware'], template: 'tree' },
  ];
  farm = await TestFarm.start({
    templatesDir: templates,
    hooks: (['github', 'gitea', 'gitlab'] as const).map((kind) => forgeHook(kind, null, { rules })),
  });
  agent = await farm.agent({ m1: 'BUS_ADDR' }, { buildSlots: 0, catalogue: TREE_CATALOGUE });
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
  await rm(templates, { recursive: true });
});
beforeEach(() => {
  commit = commitOf((commits += 1));
});

const answer = async (response: Response) => HookAnswer.parse(await response.json());
const problem = async (response: Response) => Problem.parse(await response.json());
const github = async (event: string, payload: object, options = {}) =>
  answer(await deliver(farm.server.url, 'github', event, payload, options));

/** What a run builds. */
async function builtBy(runId: string | null): Promise<unknown> {
  return (await farm.call('getRun', { params: { run: runId ?? '' } })).spec.builds.map(({ git }) => git);
}
const runs = async (): Promise<number> =>
  (await farm.sql.one<{ n: number }>('select count(*)::int as n from run'))?.n ?? 0;
const newest = async () => (await farm.call('listDeliveries', { query: { limit: 1 } })).deliveries[0];

describe('a pushed commit', () => {
  it('is what is built, from both content types of GitHub', async () => {
    const { status, runId, detail } = await github('push', push(commit));
    expect({ status, detail }).toEqual({ status: 'started', detail: `me/linux main at ${commit.slice(0, 12)}` });
    expect(await builtBy(runId)).toEqual([{ url: TREE_URL, ref: commit }]);
    const second = commitOf((commits += 1));
    const form = await github('pull_request', pullRequest(second), { form: true });
    expect(await builtBy(form.runId)).toEqual([{ url: TREE_URL, ref: second }]);
  });

  it('is what is built, from Gitea and GitLab', async () => {
    const gitea = await answer(await deliver(farm.server.url, 'gitea', 'push', push(commit)));
    expect(await builtBy(gitea.runId)).toEqual([{ url: TREE_URL, ref: commit }]);
    const project = { path_with_namespace: 'me/linux' };
    const payload = { object_kind: 'push', ref: 'refs/heads/main', after: commit, project, commits: [] };
    const gitlab = await answer(await deliver(farm.server.url, 'gitlab', '', payload));
    expect(await builtBy(gitlab.runId)).toEqual([{ url: TREE_URL, ref: commit }]);
  });

  it('is refused with the reason where the template would not build it', async () => {
    const refused = await problem(await deliver(farm.server.url, 'github', 'push', push(commit, 'broken')));
    expect(refused).toMatchObject({ status: 422, code: 'no-git-build' });
    expect(await newest()).toMatchObject({
      outcome: 'refused',
      commit,
      detail: expect.stringContaining('has a git source'),
    });
  });

  it('is tested once, whether it comes as a push, as a request or both', async () => {
    const first = await github('push', push(commit, 'topic/a'));
    const before = await runs();
    expect(await github('pull_request', pullRequest(commit))).toMatchObject({
      status: 'duplicate',
      runId: first.runId,
    });
    expect(await github('pull_request', pullRequest(commit, { action: 'reopened' }))).toMatchObject({
      status: 'duplicate',
    });
    expect(await runs()).toBe(before);
    expect(await newest()).toMatchObject({ outcome: 'ignored', detail: expect.stringContaining(`run ${first.runId}`) });
  });

  it('is tested once when copies of two kinds arrive together', async () => {
    const before = await runs();
    const copies = [push(commit), push(commit, 'topic/x'), push(commit, 'topic/y'), push(commit, 'topic/z')];
    const answers = await Promise.all(copies.map((payload) => github('push', payload)));
    expect(answers.filter(({ status }) => status === 'started')).toHaveLength(1);
    expect(await runs()).toBe(before + 1);
  });

  it('is left alone where no rule fits', async () => {
    expect(await github('push', push(commit, 'wip'))).toMatchObject({
      status: 'ignored',
      detail: expect.stringContaining('no rule'),
    });
    const other = { ...push(commit), repository: { full_name: 'me/linux-fork' } };
    expect(await problem(await deliver(farm.server.url, 'github', 'push', other))).toMatchObject({
      status: 403,
      code: 'other-repository',
    });
  });
});

describe('a commit of a fork', () => {
  const held = (more = {}) => github('pull_request', pullRequest(commit, { fork: 'mallory/linux', ...more }));

  it('waits for a person, and runs when one approves it on the admin page', async () => {
    const before = await runs();
    expect(await held()).toMatchObject({ status: 'held', runId: null });
    expect(await runs()).toBe(before);
    const delivery = await newest();
    expect(delivery).toMatchObject({ outcome: 'held', commit, fork: 'mallory/linux', run: null });
    const key = { source: 'github', deliveryId: delivery?.deliveryId ?? '' };
    expect((await farm.request('approveDelivery', { body: key }, null)).status).toBe(401);
    expect((await farm.request('repeatDelivery', { body: key })).status).toBe(409);
    const both = await Promise.all([1, 2].map(() => farm.request('approveDelivery', { body: key })));
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    expect(await runs()).toBe(before + 1);
    const { runId, detail } = HookAnswer.parse(await both.find(({ status }) => status === 200)?.json());
    expect(detail).toContain('approved by tester');
    expect(await builtBy(runId)).toEqual([{ url: TREE_URL, ref: commit }]);
    expect(await newest()).toMatchObject({ outcome: 'started', run: { id: runId } });
    expect((await farm.request('approveDelivery', { body: key })).status).toBe(409);
  });

  it('runs by the comment of a listed person that names the whole commit', async () => {
    await held();
    const before = await runs();
    const say = (login: string, text: string) => github('issue_comment', comment(login, text));
    expect(await say('mallory', `/peerlab test ${commit}`)).toMatchObject({
      status: 'ignored',
      detail: expect.stringContaining('not one of the people'),
    });
    expect(await say('alice', '/peerlab test')).toMatchObject({
      status: 'ignored',
      detail: expect.stringContaining('name it in full'),
    });
    expect(await say('alice', `/peerlab test ${commit.slice(0, 12)}`)).toMatchObject({ status: 'ignored' });
    expect(await say('alice', `/peerlab test ${'f'.repeat(40)}`)).toMatchObject({ status: 'ignored' });
    expect(await runs()).toBe(before);
    const { status, runId } = await say('Alice', `/peerlab test ${commit}`);
    expect(status).toBe('started');
    expect(await builtBy(runId)).toEqual([{ url: TREE_URL, ref: commit }]);
    expect(await runs()).toBe(before + 1);
  });

  it('is not approved by a label, by a check that is asked for again, or by coming twice', async () => {
    await held({ number: 8 });
    const before = await runs();
    expect(await held({ number: 8, action: 'labeled', labels: ['hardware'] })).toMatchObject({ status: 'held' });
    const check = {
      action: 'rerequested',
      check_run: { head_sha: commit, name: 'peerlab/tree' },
      repository: { full_name: 'me/linux' },
    };
    expect(await github('check_run', check)).toMatchObject({
      status: 'ignored',
      detail: expect.stringContaining('has not run'),
    });
    expect(await held({ number: 8, action: 'reopened' })).toMatchObject({ status: 'held' });
    expect(await runs()).toBe(before);
  });

  it('runs at once when the fork is the own one of a listed person', async () => {
    expect(await held({ fork: 'alice/linux' })).toMatchObject({ status: 'started' });
  });
});

describe('a run again', () => {
  it('is asked for by comment, by the check of the forge, or on the admin page', async () => {
    const first = await github('pull_request', pullRequest(commit));
    const delivery = await newest();
    const byComment = await github('issue_comment', comment('alice', '/peerlab test'));
    const check = {
      action: 'rerequested',
      check_run: { head_sha: commit, name: 'peerlab/tree' },
      repository: { full_name: 'me/linux' },
    };
    const byCheck = await github('check_run', check);
    const byAdmin = await farm.call('repeatDelivery', {
      body: { source: 'github', deliveryId: delivery?.deliveryId ?? '' },
    });
    const ids = [first, byComment, byCheck, byAdmin].map(({ runId }) => runId);
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(await builtBy(id)).toEqual([{ url: TREE_URL, ref: commit }]);
  });

  it('is one run for one comment, however often it is delivered', async () => {
    await github('pull_request', pullRequest(commit));
    const ask = { ...comment('alice', '/peerlab test'), id: commit };
    const [one, two] = await Promise.all([1, 2].map(() => github('issue_comment', ask, { id: `c-${commit}` })));
    expect(new Set([one?.status, two?.status])).toEqual(new Set(['duplicate', 'started']));
  });

  it('is refused for a delivery that asked for nothing', async () => {
    await github('ping', { zen: commit });
    const { deliveryId = '' } = (await newest()) ?? {};
    expect(
      await problem(await farm.request('repeatDelivery', { body: { source: 'github', deliveryId } })),
    ).toMatchObject({ status: 409, code: 'not-kept' });
    expect((await farm.request('repeatDelivery', { body: { source: 'github', deliveryId: 'none' } })).status).toBe(404);
  });
});

it('the admin page lists the hooks without their secrets', async () => {
  const hooks = await farm.call('listHooks', {});
  expect(hooks.map(({ name }) => name)).toEqual(['github', 'gitea', 'gitlab']);
  expect(hooks[0]).toMatchObject({
    people: ['alice'],
    report: null,
    rules: [{ template: 'bare', branches: ['broken'] }, {}, {}],
  });
  expect(JSON.stringify(hooks)).not.toContain('secret');
  expect((await farm.request('listHooks', {}, null)).status).toBe(401);
});
