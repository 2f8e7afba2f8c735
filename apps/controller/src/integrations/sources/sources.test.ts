import { createHmac, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GITEA } from './gitea.js';
import { GITHUB } from './github.js';
import { GITLAB } from './gitlab.js';
import { commandOf, pathsOf, type HookEvent } from './hook-source.js';
import { sign } from './signature.js';

const github = (event: string, file: string, change: (payload: never) => void = () => undefined): HookEvent => {
  const payload: unknown = JSON.parse(
    readFileSync(new URL(`../fixtures/github/${file}.json`, import.meta.url), 'utf8'),
  );
  change(payload as never);
  return GITHUB.read({ 'x-github-event': event }, payload);
};
const HELLO = 'Codertocat/Hello-World';
const HEAD = 'ec26c3e57ca3a959ca5aad62de7213c562f8c821';
const A = 'a'.repeat(40);
const SHA = 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7';

describe('GitHub, from payloads that it sent', () => {
  it('reads a push with its branch, commit and files', () => {
    expect(github('push', 'push')).toMatchObject({
      kind: 'change',
      change: {
        repository: HELLO,
        number: null,
        branch: 'master',
        commit: '6113728f27ae82c7b1a177c8d03f9e96e0adf246',
        fork: null,
      },
    });
    const files = { added: ['mm/a.c'], modified: ['mm/b.c'], removed: ['mm/a.c'] };
    const touched = github('push', 'push', (payload: { commits: object[] }) => void (payload.commits = [files, files]));
    expect(touched).toMatchObject({ change: { paths: ['mm/a.c', 'mm/b.c'] } });
    const forced = github('push', 'push', (payload: { forced: boolean }) => void (payload.forced = true));
    expect(forced).toMatchObject({ change: { paths: null } });
  });

  it('has nothing to do for tags, deleted branches, pings and events of other names', () => {
    expect(github('push', 'push-tag-deleted').kind).toBe('none');
    const gone = github('push', 'push', (payload: { after: string }) => void (payload.after = '0'.repeat(40)));
    expect(gone).toEqual({ kind: 'none', detail: `${HELLO} refs/heads/master was deleted` });
    expect(github('ping', 'ping').kind).toBe('none');
    expect(github('constructor', 'ping').kind).toBe('none');
  });

  it('reads pull requests: new commits, labels, and whose commit it is', () => {
    const own = {
      kind: 'change',
      change: { repository: HELLO, number: 2, branch: 'master', commit: HEAD, fork: null },
    };
    expect(github('pull_request', 'pull_request-opened')).toMatchObject(own);
    expect(github('pull_request', 'pull_request-synchronize')).toMatchObject({
      change: { labels: ['bug'], isRelabeled: false },
    });
    expect(github('pull_request', 'pull_request-labeled')).toMatchObject({
      change: { labels: ['bug'], isRelabeled: true },
    });
    type Pull = { action: string; pull_request: { head: { repo: { full_name: string } | null } } };
    const of = (change: (payload: Pull) => void) => github('pull_request', 'pull_request-opened', change);
    const fork = of((payload) => void (payload.pull_request.head.repo = { full_name: 'mallory/Hello-World' }));
    expect(fork).toMatchObject({ change: { fork: 'mallory/Hello-World' } });
    const orphan = of((payload) => void (payload.pull_request.head.repo = null));
    expect(orphan).toMatchObject({ change: { fork: 'a repository that is gone' } });
    expect(of((payload) => void (payload.action = 'closed')).kind).toBe('none');
  });

  it('reads commands in comments on pull requests, and no others', () => {
    type Comment = { action: string; issue: { pull_request?: object }; comment: { body: string } };
    const of = (change: (payload: Comment) => void) => github('issue_comment', 'issue_comment-created', change);
    const asks = (payload: Comment): void => {
      payload.comment.body = 'Looks fine.\r\n/peerlab test\r\n';
      payload.issue.pull_request = { url: 'https://api.github.com/repos/Codertocat/Hello-World/pulls/1' };
    };
    expect(of(asks)).toMatchObject({ kind: 'command', repository: HELLO, number: 1, by: 'Codertocat', commit: null });
    expect(of(() => undefined).kind).toBe('none');
    const onIssue = of((payload) => {
      asks(payload);
      delete payload.issue.pull_request;
    });
    expect(onIssue.kind).toBe('none');
    const edited = of((payload) => {
      asks(payload);
      payload.action = 'edited';
    });
    expect(edited.kind).toBe('none');
  });

  it('reads a check that is asked for again', () => {
    expect(github('check_run', 'check_run-rerequested')).toMatchObject({
      kind: 'again',
      repository: 'github/hello-world',
      commit: 'd6fde92930d4715a2b49857d24b940956b26d2d3',
      context: 'randscape',
    });
  });

  it('refuses payloads that are not what they say, and names that no forge has', () => {
    expect(() => github('push', 'ping')).toThrow();
    const long = (payload: { ref: string }): void => void (payload.ref = `refs/heads/${'x'.repeat(5000)}`);
    expect(() => github('push', 'push', long)).toThrow();
  });
});

describe('GitLab', () => {
  const project = {
    id: 15,
    path_with_namespace: 'mike/group/diaspora',
    git_http_url: 'http://example.com/mike/diaspora.git',
  };
  const push = {
    object_kind: 'push',
    ref: 'refs/heads/master',
    before: '95790bf891e76fee5e1747ab589903a6a1f80f22',
    after: SHA,
    checkout_sha: SHA,
    project,
    commits: [{ id: SHA, added: ['CHANGELOG'], modified: ['app/a.rb'], removed: [] }],
    total_commits_count: 1,
  };
  const merge = {
    object_kind: 'merge_request',
    project,
    object_attributes: {
      iid: 1,
      target_branch: 'master',
      source: project,
      target: project,
      last_commit: { id: SHA, message: 'fixed readme' },
      action: 'open',
    },
    labels: [{ id: 206, title: 'API' }],
  };
  const read = (payload: object): HookEvent => GITLAB.read({}, payload);

  it('reads pushes, and says nothing of files when it lists too few commits', () => {
    expect(read(push)).toMatchObject({
      kind: 'change',
      change: { repository: 'mike/group/diaspora', branch: 'master', commit: SHA, paths: ['CHANGELOG', 'app/a.rb'] },
    });
    expect(read({ ...push, total_commits_count: 4 })).toMatchObject({ change: { paths: null } });
    expect(read({ ...push, after: '0'.repeat(40), checkout_sha: null }).kind).toBe('none');
    expect(read({ object_kind: 'pipeline' }).kind).toBe('none');
  });

  it('reads merge requests and whose commit they bring', () => {
    const { object_attributes: own } = merge;
    expect(read(merge)).toMatchObject({ change: { number: 1, branch: 'master', fork: null, labels: ['API'] } });
    const source = { path_with_namespace: 'mallory/diaspora' };
    expect(read({ ...merge, object_attributes: { ...own, source } })).toMatchObject({
      change: { fork: 'mallory/diaspora' },
    });
    const update = { ...own, action: 'update' };
    expect(read({ ...merge, object_attributes: update }).kind).toBe('none');
    const pushed = read({ ...merge, object_attributes: { ...update, oldrev: A } });
    expect(pushed).toMatchObject({ change: { isRelabeled: false } });
    const labels = { previous: [], current: [{ title: 'API' }] };
    expect(read({ ...merge, object_attributes: update, changes: { labels } })).toMatchObject({
      change: { isRelabeled: true },
    });
  });

  it('reads commands in notes on merge requests, and no others', () => {
    const note = {
      object_kind: 'note',
      user: { username: 'sytses', name: 'Sid' },
      project,
      object_attributes: { note: `/peerlab test ${SHA}`, noteable_type: 'MergeRequest', system: false },
      merge_request: { iid: 1 },
    };
    expect(read(note)).toMatchObject({ kind: 'command', number: 1, by: 'sytses', commit: SHA });
    const { object_attributes: said } = note;
    expect(
      read({ ...note, object_attributes: { ...said, noteable_type: 'Issue' }, merge_request: undefined }).kind,
    ).toBe('none');
    expect(read({ ...note, object_attributes: { ...said, system: true } }).kind).toBe('none');
  });

  const body = Buffer.from(JSON.stringify(push));
  const hook = (secret: string) => ({ name: 'lab', secret: createSecretKey(secret, 'utf8') });

  it('is known by its secret token', () => {
    const token = 'a secret token of GitLab';
    const headers = { 'x-gitlab-token': token, 'idempotency-key': 'f5e1' };
    expect(GITLAB.authenticate(hook(token), headers, body, 0)).toMatchObject({ id: 'f5e1' });
    expect(GITLAB.authenticate(hook(`${token}.`), headers, body, 0)).toBeNull();
    expect(GITLAB.authenticate(hook(token), { 'x-gitlab-token': '' }, body, 0)).toBeNull();
    // Without an id the body itself is one.
    expect(GITLAB.authenticate(hook(token), { 'x-gitlab-token': token }, body, 0)?.id).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is known by its signature over id, time and body where the secret is a signing token', () => {
    const key = Buffer.from('the key of the signing token');
    const secret = `whsec_${key.toString('base64')}`;
    const now = 1_700_000_000;
    const signed = (id: string, time: number) => ({
      'webhook-id': id,
      'webhook-timestamp': String(time),
      'webhook-signature': `v1,${createHmac('sha256', key).update(`${id}.${time}.`).update(body).digest('base64')}`,
    });
    expect(GITLAB.authenticate(hook(secret), signed('m1', now), body, now * 1000)).toMatchObject({ id: 'm1' });
    expect(
      GITLAB.authenticate(hook(secret), { ...signed('m1', now), 'webhook-id': 'm2' }, body, now * 1000),
    ).toBeNull();
    expect(GITLAB.authenticate(hook(secret), signed('m1', now), Buffer.from('{}'), now * 1000)).toBeNull();
    // The token itself opens nothing then.
    expect(GITLAB.authenticate(hook(secret), { 'x-gitlab-token': secret }, body, now * 1000)).toBeNull();
    expect(() => GITLAB.authenticate(hook(secret), signed('m1', now), body, (now + 900) * 1000)).toThrow(/timestamp/);
  });
});

describe('Gitea and Forgejo', () => {
  const repository = { full_name: 'gitea/webhooks', clone_url: 'http://localhost:3000/gitea/webhooks.git' };
  const push = {
    ref: 'refs/heads/develop',
    before: '28e1879d029cb852e4844d9c718537df08844e03',
    after: SHA,
    commits: [{ id: SHA, added: ['a'], removed: [], modified: ['b'] }],
    total_commits: 1,
    repository,
  };
  const pull = {
    action: 'opened',
    number: 2,
    pull_request: { base: { ref: 'main', repo: repository }, head: { sha: SHA, repo: repository }, labels: null },
    repository,
  };
  const read = (event: string, payload: object): HookEvent => GITEA.read({ 'x-gitea-event': event }, payload);

  it('reads pushes and pull requests', () => {
    expect(read('push', push)).toMatchObject({ change: { branch: 'develop', commit: SHA, paths: ['a', 'b'] } });
    expect(read('push', { ...push, total_commits: 9 })).toMatchObject({ change: { paths: null } });
    expect(read('pull_request', pull)).toMatchObject({ change: { number: 2, fork: null, labels: [] } });
    expect(read('pull_request_sync', { ...pull, action: 'synchronized' })).toMatchObject({
      change: { isRelabeled: false },
    });
    const relabeled = read('pull_request_label', { ...pull, action: 'label_updated' });
    expect(relabeled).toMatchObject({ change: { isRelabeled: true } });
    expect(read('pull_request', { ...pull, action: 'closed' }).kind).toBe('none');
    expect(read('release', {}).kind).toBe('none');
  });

  it('reads commands in comments on pull requests, and no others', () => {
    const comment = { body: '/peerlab test', user: { login: 'alice' } };
    const event = { action: 'created', is_pull: true, issue: { number: 2 }, comment, repository };
    expect(read('issue_comment', event)).toMatchObject({ kind: 'command', number: 2, by: 'alice', commit: null });
    expect(read('issue_comment', { ...event, is_pull: false }).kind).toBe('none');
  });

  it('is known by the signature of the body, which has no prefix', () => {
    const body = Buffer.from(JSON.stringify(push));
    const hook = { name: 'lab', secret: createSecretKey('a secret of Gitea', 'utf8') };
    const signature = sign(hook.secret, body).replace('sha256=', '');
    for (const forge of ['gitea', 'forgejo']) {
      const headers = { [`x-${forge}-signature`]: signature, [`x-${forge}-delivery`]: 'd1' };
      expect(GITEA.mayBeAuthentic(headers)).toBe(true);
      expect(GITEA.authenticate(hook, headers, body, 0)).toMatchObject({ id: 'd1' });
      expect(GITEA.authenticate(hook, headers, Buffer.from('{}'), 0)).toBeNull();
    }
  });
});

it('a command is a line of its own, with a whole commit or none', () => {
  expect(commandOf('/peerlab test')).toEqual({ commit: null });
  expect(commandOf(`thanks\n  /peerlab   test ${SHA}  \nbye`)).toEqual({ commit: SHA });
  for (const text of [
    '/peerlab',
    'x /peerlab test',
    `/peerlab test ${SHA.slice(0, 12)}`,
    '/peerlab test all',
    '/peerlab tests',
  ])
    expect(commandOf(text)).toBeNull();
  expect(commandOf(`${'\n'.repeat(300)}/peerlab test`)).toBeNull();
});

it('files are known only where every commit was listed', () => {
  expect(pathsOf([], 0)).toBeNull();
  expect(pathsOf([{ added: Array.from({ length: 3001 }, (_, index) => `${index}`) }], 1)).toBeNull();
  expect(pathsOf([{ added: ['x'.repeat(70_000)] }], 1)).toBeNull();
  expect(pathsOf([{ added: null, modified: ['a'] }], 1)).toEqual(['a']);
});
