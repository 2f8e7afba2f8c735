import type { IncomingHttpHeaders } from 'node:http';
import type { KeyObject } from 'node:crypto';
import { Commit, Name } from '@peerlab/contracts';
import { z } from 'zod';

/** Paths that one change keeps, and their characters together: each is compared with every pattern. Of more nothing is said. */
export const PATHS_MAX = 3000;
const PATHS_CHARACTERS_MAX = 64 * 1024;
const LABELS_MAX = 200;

/** A commit that a forge tells of. */
export const Change = z.object({
  /** As the forge names it: `owner/name`. */
  repository: z.string().max(300),
  /** Of the pull or merge request; null for a push. */
  number: z.number().int().positive().nullable(),
  /** That was pushed to, or that the request is to be merged into. */
  branch: z.string().max(1000),
  commit: Commit,
  /** Another repository that the commit is of; null = the repository itself. */
  fork: z.string().max(300).nullable(),
  labels: z.array(z.string().max(1000)).max(LABELS_MAX),
  /** Files that it touches; null = the delivery does not say, or there are too many. */
  paths: z.array(z.string().max(4096)).max(PATHS_MAX).nullable(),
  /** Only its labels changed: rules without labels have seen this commit before. */
  isRelabeled: z.boolean(),
});
export type Change = z.infer<typeof Change>;

/** What a generic hook asks for. */
export const TemplateRequest = z.object({
  template: Name,
  ref: z.string().nullable(),
  commit: Commit.nullable(),
  build: Name.nullable(),
});
export type TemplateRequest = z.infer<typeof TemplateRequest>;

/** What a delivery says; `detail` is for people. */
export type HookEvent =
  | { kind: 'none'; detail: string }
  | { kind: 'change'; detail: string; change: Change }
  /** A comment that asks for a run. */
  | {
      kind: 'command';
      detail: string;
      repository: string;
      number: number;
      /** The account that wrote it. */
      by: string;
      /** Which commit; null = the newest of the request. */
      commit: string | null;
    }
  /** Somebody who may asked the forge to repeat its check. */
  | { kind: 'again'; detail: string; repository: string; commit: string; context: string }
  | { kind: 'request'; detail: string; request: TemplateRequest; mbox: string | null };

/** A delivery from one who knows the hook's secret. */
export interface AuthenticDelivery {
  id: string;
  /** SHA-256 of what was authenticated: the same bytes again are the same delivery. */
  digest: string;
}

/** One kind of sender. A file of this folder each; `registry.ts` names them. */
export interface HookSource {
  /** Whether any of the headers could prove the sender; asked before the body is read. */
  mayBeAuthentic(headers: IncomingHttpHeaders): boolean;
  /**
   * Who sent it, by the bytes as they came; null when nothing proves that the sender knows the secret. Throws
   * ProblemError for what else is wrong with a delivery of somebody who knows it.
   */
  authenticate(
    hook: { name: string; secret: KeyObject },
    headers: IncomingHttpHeaders,
    body: Buffer,
    nowMs: number,
  ): AuthenticDelivery | null;
  /** What an authentic body says; throws ZodError where it is not what its event has to be. */
  read(headers: IncomingHttpHeaders, payload: unknown): HookEvent;
}

/** A header that stands once; empty otherwise. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}

/** `abc123def456` of a commit. */
export const shortOf = (commit: string): string => commit.slice(0, 12);

/** How people see a change: `me/linux#7 at abc123def456 of mallory/linux`. */
export function changeText({ repository, number, branch, commit, fork }: Change): string {
  const what = number === null ? `${repository} ${branch}` : `${repository}#${number}`;
  return `${what} at ${shortOf(commit)}${fork === null ? '' : ` of ${fork}`}`.slice(0, 400);
}

export const none = (detail: string): HookEvent => ({ kind: 'none', detail });
/** Throws ZodError for names that are longer than a forge's can be. */
export function changed(told: Change): HookEvent {
  const change = Change.parse(told);
  return { kind: 'change', detail: changeText(change), change };
}
/** For an event that no source reads. */
export const unread = (event: string): HookEvent => none(`nothing to do for the event "${event.slice(0, 100)}"`);

/** The files that a commit touches, as all forges list them. */
export const ListedCommit = z.object({
  added: z.array(z.string()).nullish(),
  modified: z.array(z.string()).nullish(),
  removed: z.array(z.string()).nullish(),
});
type ListedCommit = z.infer<typeof ListedCommit>;

/** The paths, each once; null for too many, or where the forge did not list every commit. */
export function pathsOf(commits: readonly ListedCommit[], total: number): string[] | null {
  if (commits.length === 0 || commits.length < total) return null;
  const paths = new Set<string>();
  for (const { added, modified, removed } of commits) {
    for (const path of [...(added ?? []), ...(modified ?? []), ...(removed ?? [])]) paths.add(path);
    if (paths.size > PATHS_MAX) return null;
  }
  let characters = 0;
  for (const { length } of paths) characters += length;
  return characters > PATHS_CHARACTERS_MAX ? null : [...paths];
}

/** All digits zero: there is no commit. */
export const isNoCommit = (commit: string): boolean => /^0+$/.test(commit);

const COMMAND = '/peerlab';
const COMMENT_LINES_MAX = 200;

/**
 * The command of a comment: a line `/peerlab test`, or `/peerlab test COMMIT`. Null when there is none. Throws nothing: a
 * comment is a stranger's text.
 */
export function commandOf(comment: string): { commit: string | null } | null {
  for (const line of comment.split('\n', COMMENT_LINES_MAX)) {
    const [command, verb, commit, ...rest] = line.trim().slice(0, 200).split(/\s+/);
    if (command !== COMMAND || verb !== 'test' || rest.length > 0) continue;
    if (commit === undefined) return { commit: null };
    if (Commit.safeParse(commit).success) return { commit };
  }
  return null;
}
