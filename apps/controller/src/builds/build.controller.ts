import { Controller, Req, StreamableFile } from '@nestjs/common';
import type { AnswerOf, BuildView } from '@peerlab/contracts';
import type { FastifyRequest } from 'fastify';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { BuildService } from './build.service.js';

@Controller()
export class BuildController {
  readonly #builds: BuildService;

  constructor(builds: BuildService) {
    this.#builds = builds;
  }

  @Serve('listBuilds')
  listBuilds(): Promise<BuildView[]> {
    return this.#builds.listBuilds();
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
