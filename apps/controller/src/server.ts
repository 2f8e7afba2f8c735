import { randomUUID } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AGENT_PATH, LIVE_PATH, TERMINAL_PATH } from '@peerlab/contracts';
import { AppModule } from './app.module.js';
import { AgentGateway } from './channels/agent.gateway.js';
import { ChangeFeed } from './channels/change-feed.js';
import { LiveGateway } from './channels/live.gateway.js';
import { TerminalGateway } from './channels/terminal.gateway.js';
import { routeUpgrades } from './channels/upgrade.js';
import { migrate } from './data-source.js';
import { SettingError, type Settings } from './platform/config.js';
import { Bus } from './platform/database/bus.js';
import type { DatabaseAddress } from './platform/database/connection.js';
import { TokenService } from './platform/auth/token.service.js';
import { AllowedHosts } from './platform/http/allowed-hosts.js';
import { sendFrameworkError } from './platform/http/bad-url.js';
import { compressAnswers } from './platform/http/compression.js';
import { declareRoutes } from './platform/http/declared-routes.js';
import { guardFrontDoor } from './platform/http/front-door.js';
import { logRequests } from './platform/http/request-log.js';
import { serveWebFiles } from './platform/http/web-files.js';
import { Metrics } from './platform/metrics/metrics.js';
import { NestLog } from './platform/nest-log.js';

/** From the first byte of a request to its last, in milliseconds: the largest artifact at 600 kB/s. */
const REQUEST_TIMEOUT_MS = 3_600_000;

export interface RunningServer {
  /** Without a final slash. */
  url: string;
  app: NestFastifyApplication;
  /** Method and path of every route that is served. */
  routes: ReadonlySet<string>;
  /**
   * Stores what was received, then closes everything. The database stays. Each room does its part in a lifecycle hook
   * of Nest: no further work is dispatched (onModuleDestroy); frames that were received are stored and sockets closed
   * (beforeApplicationShutdown); the HTTP server closes; bus and pool close (onApplicationShutdown). Every step has a
   * limit of a few seconds.
   */
  close: () => Promise<void>;
}

/** Migrates the database and serves HTTP and both channels. Throws SettingError when the port is taken. */
export async function startServer(settings: Settings, address: DatabaseAddress): Promise<RunningServer> {
  await migrate(address);
  const adapter = new FastifyAdapter({
    genReqId: () => randomUUID(),
    frameworkErrors: sendFrameworkError,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Behind a closed controller idle browser connections would keep the process alive.
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
  });
  const fastify = adapter.getInstance();
  const routes = declareRoutes(fastify);
  const hosts = new AllowedHosts(settings);
  // Artifacts are streams: the route reads them itself, with its own limit.
  fastify.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null));
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(settings, address), adapter, {
    rawBody: true,
    logger: new NestLog(),
    abortOnError: false,
  });
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => (closed ??= app.close());
  try {
    await compressAnswers(fastify);
    logRequests(fastify, app.get(Metrics));
    guardFrontDoor(fastify, hosts, () => app.get(TokenService));
    await serveWebFiles(fastify, settings.webDir, async () => (await app.get(ChangeFeed).read([])).cursor);
    await app.init();
    const agents = app.get(AgentGateway);
    const live = app.get(LiveGateway);
    const terminals = app.get(TerminalGateway);
    routeUpgrades(
      app.getHttpServer(),
      hosts,
      new Map([
        [AGENT_PATH, agents.upgrade.bind(agents)],
        [LIVE_PATH, live.upgrade.bind(live)],
        [TERMINAL_PATH, terminals.upgrade.bind(terminals)],
      ]),
    );
    await app.get(Bus).start();
    await app.listen(settings.port, settings.host);
  } catch (error) {
    await close();
    throw listenError(error, settings);
  }
  return { url: (await app.getUrl()).replace('[::1]', 'localhost'), app, routes, close };
}

function listenError(error: unknown, { host, port }: Settings): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'EADDRINUSE') {
    return new SettingError(`PEERLAB_PORT ${port}: the port is taken on ${host}; stop what uses it or choose another`);
  }
  if (error.code === 'EACCES') return new SettingError(`PEERLAB_PORT ${port}: this account may not use the port`);
  if (error.code === 'EADDRNOTAVAIL') return new SettingError(`PEERLAB_HOST ${host}: this machine has no such address`);
  return error;
}
