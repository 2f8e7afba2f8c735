import { z } from 'zod';

const Commit = z.string().min(7).max(64);

const Push = z.object({
  ref: z.string(),
  after: Commit,
  deleted: z.boolean().default(false),
  repository: z.object({ full_name: z.string() }),
});

const PullRequest = z.object({
  action: z.string(),
  number: z.number().int(),
  pull_request: z.object({ head: z.object({ sha: Commit }) }),
  repository: z.object({ full_name: z.string() }),
});

const ACTIONS = ['opened', 'synchronize', 'reopened'];

/** What an event asks for; `repository` is empty where the event has none. */
export interface GithubEvent {
  run: boolean;
  detail: string;
  /** `owner/name`. */
  repository: string;
}

/** What a GitHub event asks for; throws ZodError when the payload is not what the event's name says. */
export function readGithubEvent(name: string, payload: unknown): GithubEvent {
  if (name === 'push') {
    const { ref, after, deleted, repository } = Push.parse(payload);
    const what = `${repository.full_name} ${ref.replace(/^refs\/heads\//, '')}`;
    const detail = deleted ? `${what} was deleted` : `${what} at ${after.slice(0, 12)}`;
    return { run: !deleted, detail, repository: repository.full_name };
  }
  if (name === 'pull_request') {
    const { action, number, pull_request, repository } = PullRequest.parse(payload);
    const what = `${repository.full_name}#${number}`;
    const run = ACTIONS.includes(action);
    const detail = run
      ? `${what} at ${pull_request.head.sha.slice(0, 12)}`
      : `${what}: nothing to do for "${action.slice(0, 100)}"`;
    return { run, detail, repository: repository.full_name };
  }
  return { run: false, detail: `nothing to do for the event "${name.slice(0, 100)}"`, repository: '' };
}
