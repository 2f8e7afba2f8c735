import { type AnswerOf, requestOf, ROUTES, type Routes } from '@peerlab/contracts';
import { ApiClient, type CallOptions, type ClientOptions, readJson } from './api-client.js';

export type UploadContent = Uint8Array<ArrayBuffer> | Blob;

/** The whole HTTP API, as ApiClient says; for programs that need not load little. */
export class HttpClient extends ApiClient {
  constructor(options: Omit<ClientOptions<Routes>, 'routes'>) {
    super({ ...options, routes: ROUTES });
  }

  /** Stores an artifact under its digest. There is no time limit unless one is given: a bundle may be large. */
  async upload(sha256: string, content: UploadContent, options: CallOptions = {}): Promise<AnswerOf<'putArtifact'>> {
    const { method, path } = requestOf('putArtifact', { params: { sha256 } });
    const headers = { accept: 'application/json', 'content-type': 'application/octet-stream' };
    return this.exchange(
      'putArtifact',
      path,
      { method, headers, body: content },
      { timeoutMs: Number.POSITIVE_INFINITY, ...options },
      async (response) => readJson('putArtifact', this.routeOf('putArtifact'), response, await response.text()),
    );
  }
}
