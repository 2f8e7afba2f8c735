import { createSecretKey } from 'node:crypto';
import { sign } from '../integrations/sources/signature.js';
import type { ForgeHookSetting, ReportSetting } from '../platform/hooks-file.js';
import type { FakeForge } from './fake-forge.js';
import { SAMPLE_CATALOGUE } from './samples.js';

export const FORGE_SECRET = 'a secret that the forges share';
/** Where the template of `forgeHook` fetches from. */
export const TREE_URL = 'https://git.example/me/linux.git';
/** Of a builder that allows it. */
export const TREE_CATALOGUE = { ...SAMPLE_CATALOGUE, repositories: [TREE_URL] };
/** A run file whose build takes a commit. */
export const TREE_TEMPLATE = `name: tree\nbuilds: [{name: pushed, git: {url: "${TREE_URL}", ref: main}}]\n`;

/** A hook for `me/linux` whose pushes run the template `tree`; alice is listed. */
export function forgeHook(
  kind: ForgeHookSetting['kind'],
  report: ReportSetting | null,
  more: Partial<ForgeHookSetting> = {},
): ForgeHookSetting {
  return {
    name: kind,
    kind,
    secret: createSecretKey(`${FORGE_SECRET} ${kind}`, 'utf8'),
    rules: [{ repository: 'me/linux', template: 'tree' }],
    people: ['alice'],
    report,
    ...more,
  };
}

export const reportTo = (forge: FakeForge, tokenFile: string, more: Partial<ReportSetting> = {}): ReportSetting => ({
  api: forge.api,
  tokenFile,
  app: null,
  ca: null,
  web: 'https://farm.example',
  ...more,
});

let sent = 0;

/** Sends a delivery as a forge does. */
export async function deliver(
  url: string,
  kind: ForgeHookSetting['kind'],
  event: string,
  payload: object,
  options: { hook?: string; id?: string; form?: boolean } = {},
): Promise<Response> {
  sent += 1;
  const { hook = kind, id = `${kind}-${sent}`, form = false } = options;
  const json = JSON.stringify(payload);
  const body = form ? new URLSearchParams({ payload: json }).toString() : json;
  const secret = `${FORGE_SECRET} ${kind}`;
  const headers: Record<string, string> = {
    'content-type': form ? 'application/x-www-form-urlencoded' : 'application/json',
  };
  if (kind === 'github') {
    headers['x-github-event'] = event;
    headers['x-github-delivery'] = id;
    headers['x-hub-signature-256'] = sign(secret, body);
  } else if (kind === 'gitea') {
    headers['x-gitea-event'] = event;
    headers['x-gitea-delivery'] = id;
    headers['x-gitea-signature'] = sign(secret, body).replace('sha256=', '');
  } else {
    headers['x-gitlab-token'] = secret;
    headers['idempotency-key'] = id;
  }
  return fetch(`${url}/api/v1/hooks/${hook}`, { method: 'POST', body, headers });
}

const LINUX = { full_name: 'me/linux' };

/** Payload of a pull request at GitHub or Gitea. */
export const pullRequest = (
  commit: string,
  more: { action?: string; number?: number; fork?: string; labels?: string[] } = {},
) => ({
  action: more.action ?? 'opened',
  number: more.number ?? 7,
  pull_request: {
    head: { sha: commit, repo: { full_name: more.fork ?? LINUX.full_name } },
    base: { ref: 'main' },
    labels: (more.labels ?? []).map((name) => ({ name })),
  },
  repository: LINUX,
});

/** Payload of a push to a branch at GitHub or Gitea. */
export const push = (commit: string, branch = 'main') => ({
  ref: `refs/heads/${branch}`,
  after: commit,
  repository: LINUX,
});

/** Payload of a comment on pull request 7 at GitHub or Gitea. */
export const comment = (login: string, body: string) => ({
  action: 'created',
  is_pull: true,
  issue: { number: 7, pull_request: {} },
  comment: { body, user: { login } },
  repository: LINUX,
});

/** A commit id that is new in its test file. */
export const commitOf = (number: number): string => number.toString(16).padStart(40, '0').replace(/^0/, 'c');
