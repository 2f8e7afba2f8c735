import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HookAnswer } from '@peerlab/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeAgent } from '../../testing/fake-agent.js';
import { FakeForge } from '../../testing/fake-forge.js';
import { TestFarm } from '../../testing/farm.js';
import {
  commitOf,
  deliver,
  forgeHook,
  pullRequest,
  push,
  reportTo,
  TREE_CATALOGUE,
  TREE_TEMPLATE,
} from '../../testing/hooks.js';
import { Sql } from '../../platform/database/sql.js';
import { ReportStore } from './report-store.js';

let folder: string;
let forge: FakeForge;
let farm: TestFarm;
let agent: FakeAgent;
let commits = 0;
let commit: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reports-'));
  await writeFile(join(folder, 'tree.yaml'), TREE_TEMPLATE);
  await writeFile(join(folder, 'broken.yaml'), 'name: broken\nbuilds: [{name: base, series: []}]\n');
  await writeFile(join(folder, 'token'), 'the-token\n');
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  await writeFile(join(folder, 'app.pem'), privateKey);
  forge = await FakeForge.start();
  const report = reportTo(forge, join(folder, 'token'));
  const app = { id: 12, installation: 34, privateKeyFile: join(folder, 'app.pem') };
  const rules = [
    { repository: 'me/linux', branches: ['broken'], template: 'broken' },
    { repository: 'me/linux', template: 'tree' },
  ];
  farm = await TestFarm.start({
    templatesDir: folder,
    hooks: [
      forgeHook('github', { ...report, tokenFile: null, app }, { rules }),
      forgeHook('github', report, { name: 'statuses', secret: forgeHook('github', null).secret }),
      forgeHook('gitlab', report),
      forgeHook('gitea', report),
    ],
  });
  agent = await farm.agent({ m1: 'BUS_ADDR' }, { buildSlots: 0, catalogue: TREE_CATALOGUE });
});
afterAll(async () => {
  agent.vanish();
  await farm.stop();
  await forge.stop();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  commit = commitOf((commits += 1));
});
afterEach(() => {
  forge.before = () => null;
  forge.after = () => null;
  for (const list of [forge.requests, forge.checks, forge.notes, forge.statuses]) list.length = 0;
});

async function start(
  kind: 'github' | 'gitlab' | 'gitea',
  event: string,
  payload: object,
  hook: string = kind,
): Promise<string> {
  const response = await deliver(farm.server.url, kind, event, payload, { hook });
  return HookAnswer.parse(await response.json()).runId ?? '';
}
const cancel = (run: string) => farm.call('cancelRun', { params: { run } });
const settled = (): Promise<unknown> =>
  farm.until(
    'all reports to be sent',
    async () => (await farm.call('listReports', {})).filter(({ state }) => state !== 'sent'),
    (waiting) => waiting.length === 0,
  );
/** The compiler finds an error in the commit. */
async function failBuild(run: string, built = commit): Promise<void> {
  const message = 'the kernel does not build: mm/hmm.c:42: expected ;';
  const builder = await farm.agent({}, { name: 'builder', buildSlots: 20, catalogue: TREE_CATALOGUE });
  const { assignment } = await builder.next('assign', ({ assignment: each }) => each.runId === run);
  await builder.events(
    assignment,
    0,
    { type: 'stage', stage: 'build', status: 'started', detail: null },
    { type: 'build-progress', percent: 0, text: 'fetched', commit: built },
    { type: 'build-failed', error: { class: 'compile', file: 'mm/hmm.c', line: 42, detail: 'expected ;' } },
    {
      type: 'finished',
      failure: { class: 'build', stage: 'build', message, signature: null },
      restored: true,
      lineCounts: {},
    },
  );
  await farm.until(
    'the end',
    () => farm.call('getRun', { params: { run } }),
    ({ state }) => state === 'ended',
  );
  builder.vanish();
}

const ownCheck = (): Record<string, unknown> => {
  expect(forge.checks).toHaveLength(1);
  return forge.checks[0] ?? {};
};
const states = (): unknown[] => forge.statuses.map(({ state }) => state);

describe('check runs of GitHub', () => {
  it('name the built commit and are updated in place: queued, running, failed with the place in the tree', async () => {
    const run = await start('github', 'pull_request', pullRequest(commit));
    await settled();
    expect(ownCheck()).toMatchObject({
      name: 'peerlab/tree',
      head_sha: commit,
      status: 'queued',
      details_url: `https://farm.example/runs/${run}`,
    });
    await failBuild(run);
    await settled();
    expect(ownCheck()).toMatchObject({
      status: 'completed',
      conclusion: 'failure',
      completed_at: expect.any(String),
      output: {
        title: expect.stringContaining('fail'),
        summary: expect.stringContaining(`\`pushed\` is built from commit \`${commit}\``),
        annotations: [{ path: 'mm/hmm.c', start_line: 42, end_line: 42, annotation_level: 'failure' }],
      },
    });
    const paths = forge.requests.map(({ method, path }) => `${method} ${path}`);
    expect(paths).toContain('POST app/installations/34/access_tokens');
    expect(paths.filter((path) => path === 'POST repos/me/linux/check-runs')).toHaveLength(1);
    const [first, ...rest] = forge.requests.filter(({ path }) => path.includes('check-runs'));
    expect(first?.headers.authorization).toBe('Bearer installation-token');
    expect(
      rest.every(
        ({ method, path }) => method === 'PATCH' && path === `repos/me/linux/check-runs/${forge.checks[0]?.id}`,
      ),
    ).toBe(true);
  });

  it('send the annotations of a result once, also when it is sent again', async () => {
    const run = await start('github', 'push', push(commit));
    await failBuild(run);
    await settled();
    const [report] = await farm.call('listReports', {});
    forge.requests.length = 0;
    await farm.call('sendReport', { params: { report: report?.id ?? '' } });
    await settled();
    const patch = forge.requests.find(({ method }) => method === 'PATCH');
    expect(patch?.body['output']).not.toHaveProperty('annotations');
  });

  it('are one, though the answer to its creation was lost', async () => {
    let lost = 0;
    forge.after = ({ method, path }) =>
      method === 'POST' && path.endsWith('check-runs') && (lost += 1) === 1 ? { status: 0, body: null } : null;
    await start('github', 'push', push(commit));
    const [failing] = await farm.until(
      'the failure',
      () => farm.call('listReports', {}),
      ([report]) => report?.state === 'failing',
    );
    expect(failing).toMatchObject({
      tries: 1,
      commit,
      error: expect.stringContaining('127.0.0.1'),
      nextAt: expect.any(String),
    });
    await farm.call('sendReport', { params: { report: failing?.id ?? '' } });
    await settled();
    expect(ownCheck()).toMatchObject({ head_sha: commit });
    expect(forge.requests.map(({ path }) => path)).toContain(
      `repos/me/linux/commits/${commit}/check-runs?check_name=peerlab%2Ftree`,
    );
  });

  it('tell that a fork waits, and the same check goes on when it was approved', async () => {
    await start('github', 'pull_request', pullRequest(commit, { fork: 'mallory/linux' }));
    await settled();
    expect(ownCheck()).toMatchObject({
      status: 'completed',
      conclusion: 'action_required',
      output: { title: 'waits for approval' },
    });
    const { deliveries } = await farm.call('listDeliveries', { query: { limit: 1 } });
    const { runId } = await farm.call('approveDelivery', {
      body: { source: 'github', deliveryId: deliveries[0]?.deliveryId ?? '' },
    });
    await settled();
    expect(ownCheck()).toMatchObject({ status: 'queued', details_url: `https://farm.example/runs/${runId}` });
    await cancel(runId ?? '');
    await settled();
    expect(ownCheck()).toMatchObject({ conclusion: 'cancelled' });
  });

  it('say why a commit was refused', async () => {
    await start('github', 'push', push(commit, 'broken')).catch(() => undefined);
    await settled();
    expect(ownCheck()).toMatchObject({ name: 'peerlab/broken', head_sha: commit, conclusion: 'action_required' });
    expect(JSON.stringify(ownCheck()['output'])).toContain('has a git source');
  });

  it('are made anew where the forge has lost them', async () => {
    const run = await start('github', 'push', push(commit));
    await settled();
    forge.checks.length = 0;
    await cancel(run);
    await settled();
    expect(ownCheck()).toMatchObject({ head_sha: commit, conclusion: 'cancelled' });
  });
});

describe('commit statuses', () => {
  it('are written to GitHub with a token where there is no app', async () => {
    const run = await start('github', 'push', push(commit), 'statuses');
    await settled();
    await failBuild(run);
    await settled();
    expect(states()[0]).toBe('pending');
    expect(forge.statuses.at(-1)).toMatchObject({
      state: 'failure',
      context: 'peerlab/tree',
      commit,
      target_url: `https://farm.example/runs/${run}`,
    });
    expect(forge.requests[0]?.headers.authorization).toBe('Bearer the-token');
    for (const { description } of forge.statuses) expect(String(description).length).toBeLessThanOrEqual(140);
  });

  it('are written to Gitea', async () => {
    const run = await start('gitea', 'push', push(commit));
    await settled();
    await cancel(run);
    await settled();
    expect([states()[0], states().at(-1)]).toEqual(['pending', 'error']);
    expect(forge.requests.at(-1)).toMatchObject({
      path: `repos/me/linux/statuses/${commit}`,
      headers: { authorization: 'token the-token' },
    });
  });

  it('are written to GitLab, with a note that later commits of the request update', async () => {
    const project = { path_with_namespace: 'me/linux' };
    const merge = (id: string, action: string) => ({
      object_kind: 'merge_request',
      project,
      object_attributes: {
        iid: 5,
        target_branch: 'main',
        source: project,
        target: project,
        last_commit: { id },
        action,
        oldrev: commit,
      },
    });
    const run = await start('gitlab', '', merge(commit, 'open'));
    await settled();
    expect(forge.notes).toEqual([]);
    await failBuild(run);
    await settled();
    expect(forge.statuses.at(-1)).toMatchObject({ state: 'failed', name: 'peerlab/tree', commit });
    expect(forge.notes).toHaveLength(1);
    expect(forge.notes[0]).toMatchObject({ body: expect.stringContaining('<!-- peerlab/tree -->') });
    expect(forge.requests.map(({ path }) => path)).toContain('projects/me%2Flinux/merge_requests/5/notes');
    expect(forge.requests[0]?.headers['private-token']).toBe('the-token');
    const later = commitOf((commits += 1));
    const second = await start('gitlab', '', merge(later, 'update'));
    await cancel(second);
    await settled();
    expect(forge.notes).toHaveLength(1);
    expect(String(forge.notes[0]?.['body'])).toContain(later);
  });

  it('count as told where GitLab has that state already', async () => {
    forge.before = ({ path }) =>
      path.includes('/statuses/')
        ? { status: 400, body: { message: 'Cannot transition status via :enqueue from :pending' } }
        : null;
    const project = { path_with_namespace: 'me/linux' };
    await start('gitlab', '', { object_kind: 'push', ref: 'refs/heads/main', after: commit, project });
    await settled();
  });
});

describe('a forge that does not answer', () => {
  it('is tried again later, with the pause that it asks for, and then told what is so by then', async () => {
    forge.before = () => ({
      status: 503,
      body: { message: 'down for maintenance' },
      headers: { 'retry-after': '600' },
    });
    const run = await start('gitea', 'push', push(commit));
    const [report] = await farm.until(
      'the failure',
      () => farm.call('listReports', {}),
      ([first]) => first?.state === 'failing',
    );
    expect(report).toMatchObject({ tries: 1, error: expect.stringContaining('503 down for maintenance') });
    expect(Date.parse(report?.nextAt ?? '') - Date.now()).toBeGreaterThan(500_000);
    await cancel(run);
    forge.before = () => null;
    await farm.sql.run('update forge_report set due_at = clock_timestamp() where commit = $1', [commit]);
    await settled();
    expect(states()).toEqual(['error']);
  });

  it('is told once by several controllers', async () => {
    const replica = await farm.replica();
    try {
      await start('gitea', 'push', push(commit));
      await settled();
      expect(states()).toEqual(['pending']);
    } finally {
      await replica.close();
    }
  });

  it('is told again by who may have told something old: a sender whose claim ended before its request', async () => {
    forge.before = async () => {
      forge.before = () => null;
      // Meanwhile another controller claims it, tells the forge, and records that.
      await farm.sql.run(
        `update forge_report f set claim = claim + 1, claimed_until = null, said = f.revision || ' ' || r.state
         from run r where r.id = f.run_id and f.commit = $1`,
        [commit],
      );
      return null;
    };
    await start('gitea', 'push', push(commit));
    await farm.until(
      'the second report',
      () => states().length,
      (told) => told === 2,
    );
    await settled();
    expect(states()).toEqual(['pending', 'pending']);
  });
});

it('a removed run leaves a report that is not due, and that goes after a while', async () => {
  const run = await start('gitea', 'push', push(commit));
  await settled();
  await cancel(run);
  await settled();
  await farm.server.app.get(ReportStore).forgetRun(farm.server.app.get(Sql), run);
  const own = async () => (await farm.call('listReports', {})).find((report) => report.commit === commit);
  expect(await own()).toMatchObject({ state: 'sent', run: null });
  await farm.sql.run(`update forge_report set created_at = created_at - interval '91 days' where commit = $1`, [
    commit,
  ]);
  await farm.until('its removal', own, (report) => report === undefined);
});
