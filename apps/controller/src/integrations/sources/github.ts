import { Commit } from '@peerlab/contracts';
import { z } from 'zod';
import { checkId } from './generic.js';
import {
  changed,
  commandOf,
  headerOf,
  isNoCommit,
  ListedCommit,
  none,
  pathsOf,
  unread,
  type HookEvent,
  type HookSource,
} from './hook-source.js';
import { digestOf, isSame, sign } from './signature.js';

const SIGNATURE_HEADER = 'x-hub-signature-256';
const SIGNATURE = /^sha256=[0-9a-f]{64}$/;
/** GitHub lists so many commits of a push at most, and does not say how many there are. */
const COMMITS_LISTED = 2048;

const Repository = z.object({ full_name: z.string().max(300) });

const Push = z.object({
  ref: z.string(),
  after: Commit,
  deleted: z.boolean().default(false),
  forced: z.boolean().default(false),
  commits: z.array(ListedCommit).default([]),
  repository: Repository,
});

const PullRequest = z.object({
  action: z.string(),
  number: z.number().int(),
  pull_request: z.object({
    head: z.object({ sha: Commit, repo: Repository.nullable() }),
    base: z.object({ ref: z.string() }),
    labels: z.array(z.object({ name: z.string() })).default([]),
  }),
  repository: Repository,
});

const IssueComment = z.object({
  action: z.string(),
  issue: z.object({ number: z.number().int(), pull_request: z.unknown().optional() }),
  comment: z.object({ body: z.string().nullable(), user: z.object({ login: z.string().max(300) }).nullable() }),
  repository: Repository,
});

const CheckRun = z.object({
  action: z.string(),
  check_run: z.object({ head_sha: Commit, name: z.string().max(300) }),
  repository: Repository,
});

const NEW_COMMIT = ['opened', 'synchronize', 'reopened', 'ready_for_review'];
const BRANCH = 'refs/heads/';

const READERS: Readonly<Record<string, (payload: unknown) => HookEvent>> = {
  push(payload) {
    const { ref, after, deleted, forced, commits, repository } = Push.parse(payload);
    const what = `${repository.full_name} ${ref.slice(0, 200)}`;
    if (deleted || isNoCommit(after)) return none(`${what} was deleted`);
    if (!ref.startsWith(BRANCH)) return none(`${what} is no branch`);
    return changed({
      repository: repository.full_name,
      number: null,
      branch: ref.slice(BRANCH.length),
      commit: after,
      fork: null,
      labels: [],
      // A forced push also takes commits away, which it does not list.
      paths: forced || commits.length >= COMMITS_LISTED ? null : pathsOf(commits, commits.length),
      isRelabeled: false,
    });
  },

  pull_request(payload) {
    const { action, number, pull_request: pull, repository } = PullRequest.parse(payload);
    if (!NEW_COMMIT.includes(action) && action !== 'labeled')
      return none(`${repository.full_name}#${number}: nothing to do for "${action.slice(0, 100)}"`);
    const head = pull.head.repo?.full_name ?? 'a repository that is gone';
    return changed({
      repository: repository.full_name,
      number,
      branch: pull.base.ref,
      commit: pull.head.sha,
      fork: head === repository.full_name ? null : head,
      labels: pull.labels.map(({ name }) => name),
      paths: null,
      isRelabeled: action === 'labeled',
    });
  },

  issue_comment(payload) {
    const { action, issue, comment, repository } = IssueComment.parse(payload);
    const what = `a comment on ${repository.full_name}#${issue.number}`;
    const command = commandOf(comment.body ?? '');
    if (action !== 'created' || issue.pull_request == null || command === null) return none(`${what} has no command`);
    const by = comment.user?.login ?? '';
    const detail = `command of ${by} on ${repository.full_name}#${issue.number}`;
    return { kind: 'command', detail, repository: repository.full_name, number: issue.number, by, ...command };
  },

  check_run(payload) {
    const { action, check_run: check, repository } = CheckRun.parse(payload);
    const what = `the check "${check.name}" of ${repository.full_name}`;
    if (action !== 'rerequested') return none(`${what}: nothing to do for "${action.slice(0, 100)}"`);
    const detail = `${what} once more`;
    return { kind: 'again', detail, repository: repository.full_name, commit: check.head_sha, context: check.name };
  },
};

/** GitHub, in the cloud or on a server of one's own. It signs the body alone: its headers decide nothing but the reader. */
export const GITHUB: HookSource = {
  mayBeAuthentic: (headers) => SIGNATURE.test(headerOf(headers, SIGNATURE_HEADER)),

  authenticate({ secret }, headers, body) {
    if (!isSame(headerOf(headers, SIGNATURE_HEADER), sign(secret, body))) return null;
    return { id: checkId('x-github-delivery', headers), digest: digestOf(body) };
  },

  read(headers, payload) {
    const event = headerOf(headers, 'x-github-event');
    const reader = Object.hasOwn(READERS, event) ? READERS[event] : undefined;
    return reader === undefined ? unread(event) : reader(payload);
  },
};
