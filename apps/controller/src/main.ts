#!/usr/bin/env node
import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { log } from '@peerlab/runtime';
import { DataSource } from 'typeorm';
import { backUp } from './backup/backup.js';
import { restore } from './backup/restore.js';
import { readCommand, type Command } from './command-line.js';
import { dataSourceOptions, migrate } from './data-source.js';
import { Token } from './schema/tokens.js';
import { TokenService } from './platform/auth/token.service.js';
import { loadSettings, SettingError, type Settings } from './platform/config.js';
import { Bus } from './platform/database/bus.js';
import type { DatabaseAddress } from './platform/database/connection.js';
import { Metrics } from './platform/metrics/metrics.js';
import { ensurePostgres, stopPostgres } from './platform/postgres/supervisor.js';
import { startWatchdog } from './platform/watchdog.js';
import { startServer } from './server.js';

const EXIT_FAILURE = 1;
const EXIT_SETTING = 2;
/** From SIGTERM to the end, in milliseconds: below TimeoutStopSec of peerlab-controller.service. */
const SHUTDOWN_MS = 15_000;

async function main(): Promise<void> {
  log.setBindings({ program: 'controller' });
  const command = readCommand(process.argv.slice(2));
  const settings = loadSettings(process.env, command.config);
  await run(command, settings);
}

async function run(command: Command, settings: Settings): Promise<void> {
  switch (command.name) {
    case 'serve':
      return serve(settings);
    case 'migrate':
      return print({ event: 'migrated', applied: await migrate(await database(settings)) });
    case 'token-create': {
      const address = await database(settings);
      await migrate(address);
      const dataSource = await new DataSource(dataSourceOptions(address)).initialize();
      try {
        const tokens = new TokenService(dataSource.getRepository(Token));
        process.stdout.write(`${await tokens.create(command.kind, command.tokenName, command.limits)}\n`);
      } finally {
        await dataSource.destroy();
      }
      return;
    }
    case 'backup':
      return print({
        event: 'backed-up',
        ...(await backUp(await database(settings), artifactsDir(settings), resolve(command.target))),
      });
    case 'restore':
      return print({
        event: 'restored',
        ...(await restore(await database(settings), artifactsDir(settings), resolve(command.folder))),
      });
    case 'database-stop':
      if (settings.databaseUrl !== null)
        throw new SettingError('DATABASE_URL is set: the controller stops only the embedded Postgres');
      return print({ event: 'database-stopped', wasRunning: await stopPostgres(settings.stateDir) });
  }
}

async function serve(settings: Settings): Promise<void> {
  const server = await startServer(settings, await database(settings));
  // Without this an embedded Postgres that was killed would stay dead: nothing else watches it.
  if (settings.databaseUrl === null) server.app.get(Bus).onUnreachable(async () => void (await database(settings)));
  server.app.get(Metrics).addProcess();
  startWatchdog(settings.watchdogSeconds);
  print({ event: 'listening', url: server.url });
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    // A second signal ends it at once.
    if (stopping) process.exit(EXIT_FAILURE);
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => {
      log.error({ afterMs: SHUTDOWN_MS }, 'shutdown-timed-out');
      process.exit(EXIT_FAILURE);
    }, SHUTDOWN_MS);
    server.close().then(() => process.exit(0), fail);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

const artifactsDir = ({ stateDir }: Settings): string => join(stateDir, 'artifacts');

async function database(settings: Settings): Promise<DatabaseAddress> {
  if (settings.databaseUrl !== null) return { url: settings.databaseUrl };
  const { address, started } = await ensurePostgres(settings.stateDir);
  log.info({ address }, started ? 'embedded-postgres-started' : 'embedded-postgres-already-running');
  return address;
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function fail(error: unknown): void {
  if (error instanceof SettingError) {
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_SETTING);
  }
  log.fatal({ correlationId: randomUUID(), err: error }, 'fatal-error');
  process.exit(EXIT_FAILURE);
}

// An error that no code expected: what is in memory cannot be trusted any more, and everything that counts is in
// Postgres. No request may get here: listeners and handlers end the connection or request that failed.
process.on('unhandledRejection', fail);
process.on('uncaughtException', fail);
main().catch(fail);
