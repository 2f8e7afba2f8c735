import { Controller, Req, Res } from '@nestjs/common';
import type {
  FoundId,
  ListedRun,
  RunDetail,
  RunSummary,
  SubmissionReport,
  TemplateView,
  WaitingJob,
} from '@peerlab/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Caller, MaybeCaller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { renderBadge, tagOf } from './badge.js';
import { IdFinder } from './find-ids.js';
import { MachineQueue } from './machine-queue.js';
import { RunService } from './run.service.js';
import { RunView } from './run.view.js';
import { TemplateFolder } from './templates.js';

@Controller()
export class RunController {
  readonly #runs: RunService;
  readonly #view: RunView;
  readonly #templates: TemplateFolder;
  readonly #ids: IdFinder;
  readonly #queue: MachineQueue;

  constructor(runs: RunService, view: RunView, templates: TemplateFolder, ids: IdFinder, queue: MachineQueue) {
    this.#runs = runs;
    this.#view = view;
    this.#templates = templates;
    this.#ids = ids;
    this.#queue = queue;
  }

  @Serve('submitRun')
  submitRun(@Input() { body }: InputOf<'submitRun'>, @Caller() { id, name }: Identity): Promise<RunSummary> {
    return this.#runs.submit(body.yaml, { kind: 'user', detail: name, by: name, submitter: id }, body.id);
  }

  @Serve('checkRun')
  checkRun(@Input() { body }: InputOf<'checkRun'>, @MaybeCaller() caller: Identity | null): Promise<SubmissionReport> {
    return this.#runs.check(body.yaml, caller);
  }

  @Serve('listRuns')
  listRuns(@Input() { query }: InputOf<'listRuns'>): Promise<ListedRun[]> {
    return this.#view.list(query);
  }

  @Serve('getRun')
  getRun(@Input() { params }: InputOf<'getRun'>): Promise<RunDetail> {
    return this.#view.detail(params.run);
  }

  /** Asked again each time it is shown; the tag saves sending it again. The policy keeps it a picture. */
  @Serve('getBadge')
  async getBadge(
    @Input() { params }: InputOf<'getBadge'>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const [run, commits] = await Promise.all([this.#view.summary(params.run), this.#runs.commits(params.run)]);
    const badge = renderBadge(run, commits);
    const tag = tagOf(badge);
    reply.header('cache-control', 'no-cache');
    reply.header('etag', tag);
    reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    if (request.headers['if-none-match'] === tag) await reply.status(304).send();
    else await reply.type('image/svg+xml; charset=utf-8').send(badge);
  }

  @Serve('cancelRun')
  cancelRun(@Input() { params }: InputOf<'cancelRun'>): Promise<RunSummary> {
    return this.#runs.cancel(params.run);
  }

  @Serve('retryRun')
  retryRun(@Input() { params, body }: InputOf<'retryRun'>, @Caller() caller: Identity): Promise<RunSummary> {
    return this.#runs.retry(params.run, caller, body.id);
  }

  @Serve('findIds')
  findIds(@Input() { params }: InputOf<'findIds'>): Promise<FoundId[]> {
    return this.#ids.find(params.prefix);
  }

  @Serve('listMachineQueue')
  listMachineQueue(@Input() { params }: InputOf<'listMachineQueue'>): Promise<WaitingJob[]> {
    return this.#queue.first(params.machine);
  }

  @Serve('retryJob')
  retryJob(@Input() { params }: InputOf<'retryJob'>, @Caller() caller: Identity): Promise<RunSummary> {
    return this.#runs.retryJob(params.job, caller);
  }

  @Serve('listTemplates')
  listTemplates(): Promise<TemplateView[]> {
    return this.#templates.list();
  }
}
