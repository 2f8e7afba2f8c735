import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash, createSecretKey } from 'node:crypto';
import {
  requestOf,
  ROUTES,
  type AnswerOf,
  type BundleManifest,
  type CallOf,
  type PathKind,
  type Route,
  type RouteName,
} from '@peerlab/contracts';
import { DispatchService } from '../dispatch/dispatch.service.js';
import { TokenService, type AgentLimits, type Identity } from '../platform/auth/token.service.js';
import { loadSettings, type Settings } from '../platform/config.js';
import type { HookSetting } from '../platform/hooks-file.js';
import { announce } from '../platform/database/bus.js';
import { Sql } from '../platform/database/sql.js';
import { startServer, type RunningServer } from '../server.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { eventually } from './eventually.js';
import { FakeAgent, type FakeAgentOptions } from './fake-agent.js';
import { sampleInventory, sampleManifest } from './samples.js';
import { tarOf } from './tar.js';
import { TestSql } from './test-sql.js';

export const HOOK_SECRET = 'a secret of the test farm';
export const GITHUB_SECRET = 'another secret of the test farm';
/** Hooks of a test farm: `generic` runs some templates, `github` one for one repository. */
const HOOKS: readonly HookSetting[] = [
  {
    name: 'generic',
    kind: 'generic',
    secret: createSecretKey(HOOK_SECRET, 'utf8'),
    templates: ['base', 'series', 'gone', 'tree'],
  },
  {
    name: 'github',
    kind: 'github',
    secret: createSecretKey(GITHUB_SECRET, 'utf8'),
    rules: [{ repository: 'me/linux', template: 'tree' }],
    people: [],
    report: null,
  },
];

/** A real controller on its own database and port, with short cuts for tests. */
export class TestFarm {
  readonly database: TestDatabase;
  readonly settings: Settings;
  readonly #stateDir: string;
  server: RunningServer;
  userToken = '';
  #sql: TestSql | null = null;

  private constructor(database: TestDatabase, settings: Settings, stateDir: string, server: RunningServer) {
    this.database = database;
    this.settings = settings;
    this.#stateDir = stateDir;
    this.server = server;
  }

  static async start(overrides: Partial<Settings> = {}): Promise<TestFarm> {
    const database = await createTestDatabase();
    const stateDir = await mkdtemp(join(tmpdir(), 'farm-'));
    const settings: Settings = {
      ...loadSettings({ PEERLAB_STATE: stateDir, PEERLAB_PORT: '0' }, null),
      hooks: HOOKS,
      ...overrides,
    };
    const farm = new TestFarm(database, settings, stateDir, await startServer(settings, database.address));
    farm.userToken = await farm.token('user', 'tester');
    return farm;
  }

  /** Statements over the pool of the controller that runs now. */
  get sql(): TestSql {
    const { pool } = this.server.app.get(Sql);
    // One for each pool: each listens to it.
    if (this.#sql?.pool !== pool) this.#sql = new TestSql(pool);
    return this.#sql;
  }

  get dispatch(): DispatchService {
    return this.server.app.get(DispatchService);
  }

  token(kind: Identity['kind'], name: string, limits: Partial<AgentLimits> = {}): Promise<string> {
    return this.server.app.get(TokenService).create(kind, name, { site: null, only: null, ...limits });
  }

  /** Ends this controller and starts another one on the same database, as after a crash. */
  async restart(): Promise<void> {
    await this.server.close();
    this.server = await startServer(this.settings, this.database.address);
  }

  /** One more controller on the same database; the caller closes it. */
  replica(): Promise<RunningServer> {
    return startServer(this.settings, this.database.address);
  }

  /** Calls a route as the user; fails on every error answer. */
  async call<N extends RouteName>(name: N, call: CallOf<N>): Promise<AnswerOf<N>> {
    const response = await this.request(name, call);
    const text = await response.text();
    if (!response.ok) throw new Error(`${name}: ${response.status} ${text}`);
    const route: Route = ROUTES[name];
    return (route.response === undefined ? text : route.response.parse(JSON.parse(text))) as AnswerOf<N>;
  }

  request<N extends RouteName>(name: N, call: CallOf<N>, token: string | null = this.userToken): Promise<Response> {
    const { method, path, body } = requestOf(name, call);
    const headers: Record<string, string> = body === null ? {} : { 'content-type': 'application/json' };
    if (token !== null) headers['authorization'] = `Bearer ${token}`;
    return fetch(this.server.url + path, { method, headers, body });
  }

  /** A connected agent whose machines have one peer path of the given kind each. */
  async agent(machines: Record<string, PathKind>, options: FakeAgentOptions = {}): Promise<FakeAgent> {
    const name = options.name ?? 'lab';
    const token = await this.token('agent', name, options.token ?? {});
    const agent = await FakeAgent.connect(this.server.url, token, { machines: Object.keys(machines), ...options });
    await agent.hello();
    for (const [machine, kind] of Object.entries(machines)) agent.inventory(machine, sampleInventory(kind));
    await this.until(`the machines of ${name}`, async () => {
      const fleet = await this.call('getFleet', {});
      return Object.keys(machines).every((machine) =>
        fleet.machines.some(({ name: known, paths }) => known === machine && paths.length > 0),
      );
    });
    return agent;
  }

  /** Uploads and registers a bundle; its manifest comes back under the key that runs name it by. */
  async bundle(
    name: string,
    dmaAlias = true,
    more: Partial<BundleManifest> = {},
  ): Promise<{ manifest: BundleManifest; sha256: string; sizeBytes: number }> {
    const manifest = { ...sampleManifest(name, dmaAlias), ...more };
    const content = tarOf([['manifest.json', JSON.stringify(manifest)]]);
    const sha256 = createHash('sha256').update(content).digest('hex');
    await this.upload(sha256, content);
    const { key } = await this.call('registerBundle', { body: { manifest, sha256 } });
    return { manifest: { ...manifest, key }, sha256, sizeBytes: content.length };
  }

  upload(sha256: string, content: Buffer, token = this.userToken): Promise<Response> {
    return fetch(`${this.server.url}/api/v1/artifacts/${sha256}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(content),
    });
  }

  /** Tells browsers that something under these live topics changed, as whoever changed it does. */
  changed(...topics: string[]): Promise<void> {
    return announce(this.sql, { type: 'changed', topics });
  }

  /** Ends the pauses before further attempts. */
  async hurry(): Promise<void> {
    await this.sql.run('update job set not_before = null where not_before is not null');
    await this.dispatch.dispatch();
  }

  /** As `eventually`. */
  until<T>(what: string, look: () => T | Promise<T>, accepts?: (value: T) => boolean): Promise<T> {
    return eventually(what, look, accepts);
  }

  async stop(): Promise<void> {
    await this.server.close();
    await this.database.drop();
    await rm(this.#stateDir, { recursive: true, force: true });
  }
}
