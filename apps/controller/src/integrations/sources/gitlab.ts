import type { KeyObject } from 'node:crypto';
import { Commit } from '@peerlab/contracts';
import { z } from 'zod';
import { checkTime } from './generic.js';
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

const SIGNED = { signature: 'webhook-signature', timestamp: 'webhook-timestamp', id: 'webhook-id' } as const;
const TOKEN_HEADER = 'x-gitlab-token';
/** A secret of this form is a signing token: base64 of the key behind the prefix. Any other one is compared as it is. */
const SIGNING_PREFIX = 'whsec_';
const ID = /^[\x21-\x7e]{1,128}$/;
/** Signatures in one header: one for each key while keys are changed. */
const SIGNATURES_MAX = 5;

const Project = z.object({ path_with_namespace: z.string().max(300) });

const Push = z.object({
  ref: z.string(),
  after: Commit,
  project: Project,
  commits: z.array(ListedCommit).default([]),
  total_commits_count: z.number().int().default(0),
});

const Merge = z.object({
  iid: z.number().int(),
  target_branch: z.string(),
  source: Project.nullish(),
  target: Project,
  last_commit: z.object({ id: Commit }),
});

const MergeRequest = z.object({
  project: Project,
  object_attributes: Merge.extend({ action: z.string().nullish(), oldrev: z.string().nullish() }),
  labels: z.array(z.object({ title: z.string() })).default([]),
  changes: z.object({ labels: z.unknown().optional() }).default({}),
});

const Note = z.object({
  project: Project,
  user: z.object({ username: z.string().max(300) }),
  object_attributes: z.object({
    note: z.string(),
    noteable_type: z.string(),
    system: z.boolean().default(false),
    action: z.string().default('create'),
  }),
  merge_request: z.object({ iid: z.number().int() }).optional(),
});

const BRANCH = 'refs/heads/';

const READERS: Readonly<Record<string, (payload: unknown) => HookEvent>> = {
  push(payload) {
    const { ref, after, project, commits, total_commits_count: total } = Push.parse(payload);
    const what = `${project.path_with_namespace} ${ref.slice(0, 200)}`;
    if (isNoCommit(after)) return none(`${what} was deleted`);
    if (!ref.startsWith(BRANCH)) return none(`${what} is no branch`);
    return changed({
      repository: project.path_with_namespace,
      number: null,
      branch: ref.slice(BRANCH.length),
      commit: after,
      fork: null,
      labels: [],
      paths: pathsOf(commits, total),
      isRelabeled: false,
    });
  },

  merge_request(payload) {
    const { project, object_attributes: merge, labels, changes } = MergeRequest.parse(payload);
    const { path_with_namespace: repository } = project;
    const action = merge.action ?? '';
    const hasNewCommit = ['open', 'reopen'].includes(action) || (action === 'update' && merge.oldrev != null);
    const isRelabeled = action === 'update' && changes.labels !== undefined;
    if (!hasNewCommit && !isRelabeled)
      return none(`${repository}!${merge.iid}: nothing to do for "${action.slice(0, 100)}"`);
    const source = merge.source?.path_with_namespace ?? 'a project that is gone';
    return changed({
      repository,
      number: merge.iid,
      branch: merge.target_branch,
      commit: merge.last_commit.id,
      fork: source === repository ? null : source,
      labels: labels.map(({ title }) => title),
      paths: null,
      isRelabeled: !hasNewCommit,
    });
  },

  note(payload) {
    const { project, user, object_attributes: note, merge_request: merge } = Note.parse(payload);
    const command = commandOf(note.note);
    const isNew = note.action === 'create' && !note.system && note.noteable_type === 'MergeRequest';
    if (!isNew || merge === undefined || command === null)
      return none(`a comment in ${project.path_with_namespace} has no command`);
    const { path_with_namespace: repository } = project;
    const detail = `command of ${user.username} on ${repository}!${merge.iid}`;
    return { kind: 'command', detail, repository, number: merge.iid, by: user.username, ...command };
  },
};

/** GitLab: with a signing token it signs id, time and body; with a secret token it sends that token itself. */
export const GITLAB: HookSource = {
  mayBeAuthentic: (headers) => headerOf(headers, SIGNED.signature) !== '' || headerOf(headers, TOKEN_HEADER) !== '',

  authenticate({ secret }, headers, body, nowMs) {
    const key = signingKey(secret);
    if (key === null) {
      if (!isSame(headerOf(headers, TOKEN_HEADER), secret.export())) return null;
      return { id: idOf(headers, body), digest: digestOf(body) };
    }
    const id = headerOf(headers, SIGNED.id);
    const timestamp = headerOf(headers, SIGNED.timestamp);
    const right = `v1,${hmacOf(key, `${id}.${timestamp}.`, body).toString('base64')}`;
    const given = headerOf(headers, SIGNED.signature).split(' ', SIGNATURES_MAX);
    if (!given.some((signature) => isSame(signature, right))) return null;
    checkTime(SIGNED.timestamp, timestamp, nowMs);
    return { id: idOf(headers, body), digest: digestOf(`${id}.${timestamp}.`, body) };
  },

  read(_, payload) {
    // The event's name is in the body, too, which is what was authenticated.
    const { object_kind: event } = z.object({ object_kind: z.string() }).parse(payload);
    const reader = Object.hasOwn(READERS, event) ? READERS[event] : undefined;
    return reader === undefined ? unread(event) : reader(payload);
  },
};

function signingKey(secret: KeyObject): Buffer | null {
  const text = secret.export().toString('utf8');
  return text.startsWith(SIGNING_PREFIX) ? Buffer.from(text.slice(SIGNING_PREFIX.length), 'base64') : null;
}

/** GitLab keeps the first of these over its own repetitions; old versions send none. */
function idOf(headers: Parameters<HookSource['read']>[0], body: Buffer): string {
  for (const name of ['idempotency-key', SIGNED.id, 'x-gitlab-event-uuid']) {
    const id = headerOf(headers, name);
    if (ID.test(id)) return id;
  }
  return digestOf(body);
}
