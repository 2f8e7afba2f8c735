import { z } from 'zod';
import { AttemptDetail } from '../schema/attempts.js';
import { BuildDetail, BuildsQuery, BuildSummary, PatchText } from '../schema/builds.js';
import { BUNDLE_PATH_MAX, BundleManifest, NewBundleManifest } from '../schema/bundle.js';
import { FoundId, IdPrefix } from '../schema/found-ids.js';
import { Sequence, Sha256, SuiteName } from '../schema/ids.js';
import { LOG_STREAMS, LogPage, StageLines, LogStream } from '../schema/logs.js';
import { Role } from '../schema/participants.js';
import { ResultEvidence } from '../schema/results.js';
import { RetentionPlan, RetentionView } from '../schema/retention.js';
import { ListedRun, RunCursor, RunDetail, RunFilter, RunSummary } from '../schema/runs.js';
import { SubmissionReport, TemplateView } from '../schema/submissions.js';
import { CreatedToken, NewToken, TokenView } from '../schema/tokens.js';
import { NewTicket, Ticket } from '../schema/tickets.js';
import { FileName } from '../schema/suite.js';
import { CRASH_ROUTES } from './crash-routes.js';
import { EVIDENCE_ROUTES } from './evidence-routes.js';
import { FAILURE_ROUTES } from './failure-routes.js';
import { HEALTH_ROUTES } from './health-routes.js';
import { HOOK_ROUTES } from './hook-routes.js';
import { FLEET_ROUTES } from './fleet-routes.js';
import type { Route } from './route.js';

export type { Route } from './route.js';

const RunParams = z.object({ run: z.uuid() });
const BuildParams = z.object({ build: z.uuid() });
const AttemptParams = z.object({ attempt: z.uuid() });

/** YAML as typed by a person, so that errors can name line and column. */
export const Submission = z.strictObject({
  yaml: z
    .string()
    .min(1)
    .max(6 * 1024 * 1024),
});
export type Submission = z.infer<typeof Submission>;

export const LogQuery = z.object({
  stream: LogStream,
  /** Whose log, by its role; absent = that of the attempt's first participant. */
  role: Role.optional(),
  from: z.coerce.number().pipe(Sequence).default(0),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
});

/** Every HTTP route, used by the controller to serve and by web and CLI to call. */
export const ROUTES = {
  /** The process answers, with or without Postgres: a supervisor restarts it when this fails. */
  live: {
    method: 'GET',
    path: '/healthz/live',
    access: 'public',
    response: z.object({ status: z.literal('live'), version: z.string() }),
  },
  /** 503 with the parts that do not work in `errors`: a load balancer sends requests elsewhere. */
  ready: {
    method: 'GET',
    path: '/healthz/ready',
    access: 'public',
    response: z.object({ status: z.literal('ready'), version: z.string() }),
  },
  /** Measurements in the text form of Prometheus. */
  metrics: { method: 'GET', path: '/metrics', access: 'read', isHeavy: true },
  /** Before `live` and `ready`: the database answers. */
  health: {
    method: 'GET',
    path: '/api/v1/health',
    access: 'public',
    response: z.object({ status: z.literal('ok'), database: z.literal('ok'), version: z.string() }),
  },
  session: { method: 'GET', path: '/api/v1/session', access: 'user', response: z.object({ user: z.string() }) },
  submitRun: { method: 'POST', path: '/api/v1/runs', access: 'user', body: Submission, response: RunSummary },
  checkRun: {
    method: 'POST',
    path: '/api/v1/runs/check',
    access: 'read',
    isHeavy: true,
    body: Submission,
    response: SubmissionReport,
  },
  listRuns: {
    method: 'GET',
    path: '/api/v1/runs',
    access: 'read',
    query: RunFilter.extend({
      before: RunCursor.optional(),
      limit: z.coerce.number().int().min(1).max(200).default(50),
    }),
    response: z.array(ListedRun),
  },
  getRun: { method: 'GET', path: '/api/v1/runs/:run', access: 'read', params: RunParams, response: RunDetail },
  cancelRun: {
    method: 'POST',
    path: '/api/v1/runs/:run/cancel',
    access: 'user',
    params: RunParams,
    response: RunSummary,
  },
  retryRun: {
    method: 'POST',
    path: '/api/v1/runs/:run/retry',
    access: 'user',
    params: RunParams,
    response: RunSummary,
  },
  /** What an id, or its beginning, names: runs, attempts, builds and jobs. Empty when nothing does. */
  findIds: {
    method: 'GET',
    path: '/api/v1/ids/:prefix',
    access: 'read',
    params: z.object({ prefix: IdPrefix }),
    response: z.array(FoundId),
  },
  /**
   * A new run of one job that has ended: its build on its machine with its suites. While such a run of the caller has
   * not ended, it is the answer. 409 while the job has not ended.
   */
  retryJob: {
    method: 'POST',
    path: '/api/v1/jobs/:job/retry',
    access: 'user',
    params: z.object({ job: z.uuid() }),
    response: RunSummary,
  },
  /** Verdict and counts as a picture for a README or a pull request. */
  getBadge: { method: 'GET', path: '/api/v1/runs/:run/badge.svg', access: 'public', params: RunParams },
  getAttempt: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt',
    access: 'read',
    params: AttemptParams,
    response: AttemptDetail,
  },
  getResult: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/result',
    access: 'read',
    params: AttemptParams,
    query: z.object({ suite: SuiteName, test: z.string().min(1).max(500), role: Role.optional() }),
    response: ResultEvidence,
  },
  ...FAILURE_ROUTES,
  ...CRASH_ROUTES,
  getLog: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/log',
    access: 'read',
    params: AttemptParams,
    query: LogQuery,
    response: LogPage,
  },
  /** The first line of each stage in a stream, by the times of both. */
  getStageLines: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/log/:stream/stages',
    access: 'read',
    isHeavy: true,
    params: AttemptParams.extend({ stream: z.enum(LOG_STREAMS) }),
    query: LogQuery.pick({ role: true }),
    response: StageLines,
  },
  getRawLog: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/log/:stream',
    access: 'read',
    isHeavy: true,
    takesTicket: true,
    params: AttemptParams.extend({ stream: z.enum(LOG_STREAMS) }),
    query: LogQuery.pick({ role: true }),
  },
  /** A file that a suite of the attempt left, as a download. 410 when retention removed it. */
  getAttemptFile: {
    method: 'GET',
    path: '/api/v1/attempts/:attempt/file',
    access: 'read',
    isHeavy: true,
    params: AttemptParams,
    query: z.object({ suite: SuiteName, name: FileName }),
  },
  ...EVIDENCE_ROUTES,
  ...FLEET_ROUTES,
  ...HEALTH_ROUTES,
  listBuilds: {
    method: 'GET',
    path: '/api/v1/builds',
    access: 'read',
    query: BuildsQuery,
    response: z.array(BuildSummary),
  },
  getBuild: {
    method: 'GET',
    path: '/api/v1/builds/:build',
    access: 'read',
    isHeavy: true,
    params: BuildParams,
    response: BuildDetail,
  },
  /** One patch of a build, counted from 1; 404 when its text is not stored. */
  getPatch: {
    method: 'GET',
    path: '/api/v1/builds/:build/patches/:number',
    access: 'read',
    isHeavy: true,
    params: BuildParams.extend({ number: z.coerce.number().int().min(1).max(10_000) }),
    response: PatchText,
  },
  /** All patches of a build as one mbox, for `git am`. */
  getSeries: {
    method: 'GET',
    path: '/api/v1/builds/:build/series.mbox',
    access: 'read',
    isHeavy: true,
    takesTicket: true,
    params: BuildParams,
  },
  /**
   * One file of a build's kernel bundle, of those that its manifest lists. A user may read all; an agent only while it
   * has work that names the bundle.
   */
  getBuildFile: {
    method: 'GET',
    path: '/api/v1/builds/:build/file',
    access: 'agent',
    isHeavy: true,
    takesTicket: true,
    params: BuildParams,
    query: z.object({ path: z.string().min(1).max(BUNDLE_PATH_MAX) }),
  },
  listTemplates: { method: 'GET', path: '/api/v1/templates', access: 'read', response: z.array(TemplateView) },
  putArtifact: {
    method: 'PUT',
    path: '/api/v1/artifacts/:sha256',
    access: 'agent',
    params: z.object({ sha256: Sha256 }),
    response: z.object({ sha256: Sha256, sizeBytes: z.number() }),
  },
  getArtifact: {
    method: 'GET',
    path: '/api/v1/artifacts/:sha256',
    access: 'agent',
    params: z.object({ sha256: Sha256 }),
  },
  /**
   * The stored bundle with this key; 404 when there is none. An agent that builds is told of bundles that
   * builds made and of no others.
   */
  findBundle: {
    method: 'GET',
    path: '/api/v1/bundles/:key',
    access: 'agent',
    params: z.object({ key: Sha256 }),
    response: z.object({
      manifest: BundleManifest,
      bundle: z.object({ sha256: Sha256, sizeBytes: z.number() }),
      /** Patches of its series whose text is not stored: worth an upload by whoever has them. */
      missingPatches: z.array(Sha256).default([]),
    }),
  },
  /**
   * Registers an uploaded bundle artifact so that runs can name it by the key in the answer, which is never
   * the key of a build. The manifest must be the one in the tar. 409 when another bundle was registered
   * under the manifest's key.
   */
  registerBundle: {
    method: 'POST',
    path: '/api/v1/bundles',
    access: 'user',
    body: z.strictObject({ manifest: NewBundleManifest, sha256: Sha256 }),
    response: z.object({ key: Sha256 }),
  },
  ...HOOK_ROUTES,
  /** A ticket for one download of a file (getRawLog, getSeries, getBuildFile). */
  createTicket: {
    method: 'POST',
    path: '/api/v1/tickets',
    access: 'user',
    body: NewTicket,
    response: Ticket,
  },
  listTokens: { method: 'GET', path: '/api/v1/tokens', access: 'user', response: z.array(TokenView) },
  createToken: { method: 'POST', path: '/api/v1/tokens', access: 'user', body: NewToken, response: CreatedToken },
  /** For good; 409 for the token that asks. */
  revokeToken: {
    method: 'POST',
    path: '/api/v1/tokens/:token/revoke',
    access: 'user',
    params: z.object({ token: z.uuid() }),
    response: TokenView,
  },
  getRetention: { method: 'GET', path: '/api/v1/retention', access: 'read', response: RetentionView },
  /** A dry run: what would be removed now. */
  planRetention: {
    method: 'GET',
    path: '/api/v1/retention/plan',
    access: 'read',
    isHeavy: true,
    response: RetentionPlan,
  },
  /** Removes now what the next pass would remove anyway; 409 while a controller is at it. */
  runRetention: { method: 'POST', path: '/api/v1/retention/run', access: 'user', response: RetentionPlan },
  /** Keeps a run with all its evidence, or lets it go again. */
  pinRun: {
    method: 'PATCH',
    path: '/api/v1/runs/:run/pin',
    access: 'user',
    params: RunParams,
    body: z.strictObject({ pinned: z.boolean(), reason: z.string().max(500).optional() }),
    response: z.object({ pinned: z.boolean() }),
  },
} as const satisfies Record<string, Route>;
export type RouteName = keyof typeof ROUTES;

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;
type Written<S> = S extends z.ZodType ? z.input<S> : never;
type Part<R, K extends string> = R extends Record<K, infer S> ? { [P in K]: Written<S> } : unknown;
export type CallOf<N extends RouteName> = Part<(typeof ROUTES)[N], 'params'> &
  Partial<Part<(typeof ROUTES)[N], 'query'>> &
  Part<(typeof ROUTES)[N], 'body'>;
export type AnswerOf<N extends RouteName> = (typeof ROUTES)[N] extends { response: infer S } ? Parsed<S> : undefined;

/** Method, path with query, and JSON body text of a call; what is left is to send it. */
export function requestOf<N extends RouteName>(
  name: N,
  call: CallOf<N>,
): { method: Route['method']; path: string; body: string | null } {
  const route: Route = ROUTES[name];
  const {
    params = {},
    query = {},
    body,
  } = call as { params?: Record<string, string>; query?: Record<string, unknown>; body?: unknown };
  const path = route.path.replace(/:([a-zA-Z0-9]+)/g, (_, key: string) => encodeURIComponent(params[key] ?? ''));
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = given
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`)
    .join('&');
  return {
    method: route.method,
    path: search === '' ? path : `${path}?${search}`,
    body: body === undefined ? null : JSON.stringify(body),
  };
}
