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
import { digestOf, hmacOf, isSame } from './signature.js';

const SIGNATURE = /^[0-9a-f]{64}$/;
/** Forgejo sends its own headers beside those of Gitea. */
const NAMES = ['forgejo', 'gitea'] as const;
type Headers = Parameters<HookSource['read']>[0];
const first = (headers: Headers, name: string): string =>
  NAMES.map((forge) => headerOf(headers, `x-${forge}-${name}`)).find((value) => value !== '') ?? '';

const Repository = z.object({ full_name: z.string().max(300) });

const Push = z.object({
  ref: z.string(),
  after: Commit,
  commits: z
    .array(ListedCommit)
    .nullish()
    .transform((commits) => commits ?? []),
  total_commits: z.number().int().optional(),
  repository: Repository,
});

const PullRequest = z.object({
  action: z.string(),
  number: z.number().int(),
  pull_request: z.object({
    head: z.object({ sha: Commit, repo: Repository.nullable() }),
    base: z.object({ ref: z.string() }),
    labels: z
      .array(z.object({ name: z.string() }))
      .nullish()
      .transform((labels) => labels ?? []),
  }),
  repository: Repository,
});

const IssueComment = z.object({
  action: z.string(),
  is_pull: z.boolean().default(false),
  issue: z.object({ number: z.number().int(), pull_request: z.unknown().optional() }),
  comment: z.object({ body: z.string(), user: z.object({ login: z.string().max(300) }) }),
  repository: Repository,
});

const NEW_COMMIT = ['opened', 'synchronized', 'reopened'];
const BRANCH = 'refs/heads/';

function readPush(payload: unknown): HookEvent {
  const { ref, after, commits, total_commits: total, repository } = Push.parse(payload);
  const what = `${repository.full_name} ${ref.slice(0, 200)}`;
  if (isNoCommit(after)) return none(`${what} was deleted`);
  if (!ref.startsWith(BRANCH)) return none(`${what} is no branch`);
  return changed({
    repository: repository.full_name,
    number: null,
    branch: ref.slice(BRANCH.length),
    commit: after,
    fork: null,
    labels: [],
    // Versions that do not count them list five at most.
    paths: total === undefined ? null : pathsOf(commits, total),
    isRelabeled: false,
  });
}

function readPullRequest(payload: unknown): HookEvent {
  const { action, number, pull_request: pull, repository } = PullRequest.parse(payload);
  if (!NEW_COMMIT.includes(action) && action !== 'label_updated')
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
    isRelabeled: action === 'label_updated',
  });
}

function readComment(payload: unknown): HookEvent {
  const { action, is_pull: isPull, issue, comment, repository } = IssueComment.parse(payload);
  const command = commandOf(comment.body);
  if (action !== 'created' || !(isPull || issue.pull_request != null) || command === null)
    return none(`a comment on ${repository.full_name}#${issue.number} has no command`);
  const by = comment.user.login;
  const detail = `command of ${by} on ${repository.full_name}#${issue.number}`;
  return { kind: 'command', detail, repository: repository.full_name, number: issue.number, by, ...command };
}

const READERS: Readonly<Record<string, (payload: unknown) => HookEvent>> = {
  push: readPush,
  pull_request: readPullRequest,
  pull_request_sync: readPullRequest,
  pull_request_label: readPullRequest,
  issue_comment: readComment,
  pull_request_comment: readComment,
};

/** Gitea and Forgejo. They sign the body alone. */
export const GITEA: HookSource = {
  mayBeAuthentic: (headers) => SIGNATURE.test(first(headers, 'signature')),

  authenticate({ secret }, headers, body) {
    if (!isSame(first(headers, 'signature'), hmacOf(secret, body).toString('hex'))) return null;
    const name = headerOf(headers, 'x-forgejo-delivery') === '' ? 'x-gitea-delivery' : 'x-forgejo-delivery';
    return { id: checkId(name, headers), digest: digestOf(body) };
  },

  read(headers, payload) {
    const event = first(headers, 'event');
    const reader = Object.hasOwn(READERS, event) ? READERS[event] : undefined;
    return reader === undefined ? unread(event) : reader(payload);
  },
};
