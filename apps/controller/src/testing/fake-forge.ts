import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface ForgeRequest {
  method: string;
  /** With the query, escaped as it came. */
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
}

interface Thing extends Record<string, unknown> {
  id: number;
}

/**
 * Plays a forge over real HTTP: check runs of GitHub, commit statuses of all three, notes of GitLab. It keeps what it
 * was told, and every request.
 */
export class FakeForge {
  readonly requests: ForgeRequest[] = [];
  readonly checks: Thing[] = [];
  readonly notes: Thing[] = [];
  readonly statuses: Thing[] = [];
  /** Answers a request instead of the forge; null = the forge does. Called before the request is acted upon. */
  before: (request: ForgeRequest) => Answer | null | Promise<Answer | null> = () => null;
  /** As `before`, after the request was acted upon: an answer that is lost on its way. */
  after: (request: ForgeRequest) => Answer | null = () => null;
  readonly #server;
  #ids = 100;

  private constructor(tls: { key: string; cert: string } | null) {
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch(() => response.destroy());
    };
    this.#server = tls === null ? createServer(listener) : createTlsServer(tls, listener);
  }

  static async start(tls: { key: string; cert: string } | null = null): Promise<FakeForge> {
    const forge = new FakeForge(tls);
    await new Promise<void>((resolve) => forge.#server.listen(0, '127.0.0.1', resolve));
    return forge;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** As the hooks file has it. */
  get api(): URL {
    return new URL(`http://127.0.0.1:${this.port}/api/v3/`);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of incoming as AsyncIterable<Buffer>) text += chunk.toString('utf8');
    const request: ForgeRequest = {
      method: incoming.method ?? '',
      path: (incoming.url ?? '').replace('/api/v3/', ''),
      headers: incoming.headers,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
    this.requests.push(request);
    const { status, body, headers } = (await this.before(request)) ?? this.#act(request);
    const lost = this.after(request);
    if (lost?.status === 0) return void response.destroy();
    response.writeHead(lost?.status ?? status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  }

  #act(request: ForgeRequest): Answer {
    const { method, path, body } = request;
    const [where = '', query = ''] = path.split('?');
    if (where.endsWith('/access_tokens'))
      return made({ token: 'installation-token', expires_at: new Date(Date.now() + 3_600_000).toISOString() });
    if (/\/commits\/[0-9a-f]+\/check-runs$/.test(where)) {
      const name = new URLSearchParams(query).get('check_name');
      return found({ check_runs: this.checks.filter((check) => check['name'] === name) });
    }
    if (/\/statuses\/[0-9a-f]+$/.test(where))
      return made(this.#add(this.statuses, { ...body, commit: where.split('/').at(-1) }));
    const [kind, things] = /\/notes(\/|$)/.test(where) ? ['notes', this.notes] : ['check-runs', this.checks];
    if (where.endsWith(`/${kind}`) && method === 'POST') return made(this.#add(things, body));
    if (where.endsWith(`/${kind}`)) return found(things);
    const thing = things.find(({ id }) => where.endsWith(`/${kind}/${id}`));
    if (thing === undefined) return { status: 404, body: { message: 'Not Found' } };
    return found(Object.assign(thing, body));
  }

  #add(things: Thing[], body: object): Thing {
    const thing = { ...body, id: (this.#ids += 1) };
    things.push(thing);
    return thing;
  }
}

export interface Answer {
  /** 0 = none, the connection breaks. */
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}
const made = (body: unknown): Answer => ({ status: 201, body });
const found = (body: unknown): Answer => ({ status: 200, body });
