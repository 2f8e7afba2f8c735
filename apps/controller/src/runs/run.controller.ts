import { Controller } from '@nestjs/common';
import type { RunDetail, RunSummary, SubmissionReport, TemplateView } from '@peerlab/contracts';
import { Caller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { RunService } from './run.service.js';
import { RunView } from './run.view.js';
import { TemplateFolder } from './templates.js';

@Controller()
export class RunController {
  readonly #runs: RunService;
  readonly #view: RunView;
  readonly #templates: TemplateFolder;

  constructor(runs: RunService, view: RunView, templates: TemplateFolder) {
    this.#runs = runs;
    this.#view = view;
    this.#templates = templates;
  }

  @Serve('submitRun')
  submitRun(@Input() { body }: InputOf<'submitRun'>, @Caller() { name }: Identity): Promise<RunSummary> {
    return this.#runs.submit(body.yaml, { kind: 'user', detail: name });
  }

  @Serve('checkRun')
  checkRun(@Input() { body }: InputOf<'checkRun'>): Promise<SubmissionReport> {
    return this.#runs.check(body.yaml);
  }

  @Serve('listRuns')
  listRuns(@Input() { query }: InputOf<'listRuns'>): Promise<RunSummary[]> {
    return this.#view.list(query.before, query.limit);
  }

  @Serve('getRun')
  getRun(@Input() { params }: InputOf<'getRun'>): Promise<RunDetail> {
    return this.#view.detail(params.run);
  }

  @Serve('cancelRun')
  cancelRun(@Input() { params }: InputOf<'cancelRun'>): Promise<RunSummary> {
    return this.#runs.cancel(params.run);
  }

  @Serve('retryRun')
  retryRun(@Input() { params }: InputOf<'retryRun'>, @Caller() { name }: Identity): Promise<RunSummary> {
    return this.#runs.retry(params.run, name);
  }

  @Serve('listTemplates')
  listTemplates(): Promise<TemplateView[]> {
    return this.#templates.list();
  }
}
