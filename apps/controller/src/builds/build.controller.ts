import { Readable } from 'node:stream';
import { Controller, Req, StreamableFile } from '@nestjs/common';
import type { AnswerOf, BuildDetail, BuildSummary, PatchText } from '@peerlab/contracts';
import type { FastifyRequest } from 'fastify';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { BuildDetailView } from './build-detail.js';
import { BuildService } from './build.service.js';
import { joinMbox } from './series-text.js';

@Controller()
export class BuildController {
  readonly #builds: BuildService;
  readonly #details: BuildDetailView;

  constructor(builds: BuildService, details: BuildDetailView) {
    this.#builds = builds;
    this.#details = details;
  }

  @Serve('listBuilds')
  listBuilds(@Input() { query }: InputOf<'listBuilds'>): Promise<BuildSummary[]> {
    return this.#builds.listBuilds(query);
  }

  @Serve('getBuild')
  getBuild(@Input() { params }: InputOf<'getBuild'>): Promise<BuildDetail> {
    return this.#details.read(params.build);
  }

  @Serve('getPatch')
  async getPatch(@Input() { params }: InputOf<'getPatch'>): Promise<PatchText> {
    return { number: params.number, text: await this.#details.patch(params.build, params.number) };
  }

  /** As plain text; `nosniff` keeps a browser from taking a patch for a page. */
  @Serve('getSeries')
  async getSeries(@Input() { params }: InputOf<'getSeries'>): Promise<StreamableFile> {
    const mbox = joinMbox(await this.#details.series(params.build));
    return new StreamableFile(Readable.from([mbox]), {
      type: 'text/plain; charset=utf-8',
      disposition: `attachment; filename="${params.build}.mbox"`,
    });
  }

  @Serve('putArtifact')
  putArtifact(
    @Input() { params }: InputOf<'putArtifact'>,
    @Req() request: FastifyRequest,
  ): Promise<AnswerOf<'putArtifact'>> {
    return this.#builds.storeArtifact(params.sha256, request.raw);
  }

  @Serve('getArtifact')
  async getArtifact(@Input() { params }: InputOf<'getArtifact'>): Promise<StreamableFile> {
    const { content, sizeBytes } = await this.#builds.openArtifact(params.sha256);
    return new StreamableFile(content, { type: 'application/octet-stream', length: sizeBytes });
  }

  @Serve('findBundle')
  findBundle(@Input() { params }: InputOf<'findBundle'>): Promise<AnswerOf<'findBundle'>> {
    return this.#builds.describeBundle(params.key);
  }

  @Serve('registerBundle')
  async registerBundle(@Input() { body }: InputOf<'registerBundle'>): Promise<AnswerOf<'registerBundle'>> {
    await this.#builds.registerBundle(body.manifest, body.sha256);
    return { key: body.manifest.key };
  }
}
