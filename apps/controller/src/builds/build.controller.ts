import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { Controller, Req, StreamableFile } from '@nestjs/common';
import type { AnswerOf, BuildDetail, BuildSummary, PatchText, SourceLinks } from '@peerlab/contracts';
import type { FastifyRequest } from 'fastify';
import { Caller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { notFound } from '../platform/http/problem.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { ArtifactAccess, callerName } from './artifact-access.js';
import { BuildDetailView } from './build-detail.js';
import { BuildService } from './build.service.js';
import { BundleFiles } from './bundle-files.js';
import { joinMbox } from './series-text.js';
import { SourceLinksView } from './source-links.js';

@Controller()
export class BuildController {
  readonly #builds: BuildService;
  readonly #access: ArtifactAccess;
  readonly #details: BuildDetailView;
  readonly #files: BundleFiles;
  readonly #links: SourceLinksView;

  constructor(
    builds: BuildService,
    access: ArtifactAccess,
    details: BuildDetailView,
    files: BundleFiles,
    links: SourceLinksView,
  ) {
    this.#builds = builds;
    this.#access = access;
    this.#details = details;
    this.#files = files;
    this.#links = links;
  }

  @Serve('listBuilds')
  listBuilds(@Input() { query }: InputOf<'listBuilds'>): Promise<BuildSummary[]> {
    return this.#builds.listBuilds(query);
  }

  @Serve('getBuild')
  getBuild(@Input() { params }: InputOf<'getBuild'>): Promise<BuildDetail> {
    return this.#details.read(params.build);
  }

  @Serve('getSourceLinks')
  getSourceLinks(@Input() { params }: InputOf<'getSourceLinks'>): Promise<SourceLinks> {
    return this.#links.of(params.build);
  }

  @Serve('getPatch')
  async getPatch(@Input() { params }: InputOf<'getPatch'>): Promise<PatchText> {
    return { number: params.number, text: await this.#details.patch(params.build, params.number) };
  }

  /** As plain text; `nosniff` keeps browsers from interpreting a patch as a page. */
  @Serve('getSeries')
  async getSeries(@Input() { params }: InputOf<'getSeries'>): Promise<StreamableFile> {
    const mbox = joinMbox(await this.#details.series(params.build));
    return new StreamableFile(Readable.from([mbox]), {
      type: 'text/plain; charset=utf-8',
      disposition: `attachment; filename="${params.build}.mbox"`,
    });
  }

  /** Sent as a download, under its name without folders. */
  @Serve('getBuildFile')
  async getBuildFile(
    @Input() { params, query }: InputOf<'getBuildFile'>,
    @Caller() caller: Identity,
  ): Promise<StreamableFile> {
    const { content, sizeBytes } = await this.#files.open(caller, params.build, query.path);
    return new StreamableFile(content, {
      type: 'application/octet-stream',
      length: sizeBytes,
      disposition: `attachment; filename="${basename(query.path)}"`,
    });
  }

  /** What a suite left is a stranger's: it is a download, and no page. */
  @Serve('getAttemptFile')
  async getAttemptFile(@Input() { params, query }: InputOf<'getAttemptFile'>): Promise<StreamableFile> {
    const { content, sizeBytes } = await this.#builds.openLeftFile(params.attempt, query.suite, query.name);
    return new StreamableFile(content, {
      type: 'application/octet-stream',
      length: sizeBytes,
      disposition: `attachment; filename="${query.name}"`,
    });
  }

  @Serve('putArtifact')
  putArtifact(
    @Input() { params }: InputOf<'putArtifact'>,
    @Req() request: FastifyRequest,
    @Caller() caller: Identity,
  ): Promise<AnswerOf<'putArtifact'>> {
    return this.#access.upload(caller, contentLength(request), () =>
      this.#builds.storeArtifact(params.sha256, request.raw, callerName(caller)),
    );
  }

  @Serve('getArtifact')
  async getArtifact(@Input() { params }: InputOf<'getArtifact'>, @Caller() caller: Identity): Promise<StreamableFile> {
    await this.#access.requireRead(caller, params.sha256);
    const { content, sizeBytes } = await this.#builds.openArtifact(params.sha256);
    return new StreamableFile(content, { type: 'application/octet-stream', length: sizeBytes });
  }

  @Serve('findBundle')
  async findBundle(
    @Input() { params }: InputOf<'findBundle'>,
    @Caller() caller: Identity,
  ): Promise<AnswerOf<'findBundle'>> {
    if (!(await this.#access.mayBuild(caller))) throw notFound('bundle', params.key);
    return this.#builds.describeBundle(params.key, caller.kind === 'agent');
  }

  @Serve('registerBundle')
  async registerBundle(
    @Input() { body }: InputOf<'registerBundle'>,
    @Caller() { name }: Identity,
  ): Promise<AnswerOf<'registerBundle'>> {
    return { key: await this.#builds.registerBundle(body.manifest, body.sha256, name) };
  }
}

/** The request's Content-Length in bytes; null when it has none. */
function contentLength({ headers }: FastifyRequest): number | null {
  const text = headers['content-length'] ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}
