import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AGENT_PROTOCOL, type Catalogue, type FromAgent, type SuiteDefinition } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { readKernelCatalogue } from './catalogue/kernel-catalogue.js';
import { readLabSuites } from './catalogue/lab-suites.js';
import { readRecipe } from './catalogue/recipe.js';
import { type BackgroundWork, composeMachine } from './compose.js';
import { type AgentConfig, ConfigError, loadConfig, readToken } from './config/agent-config.js';
import { lockStateWhenRoom } from './config/state-lock.js';
import { readCheckRuns } from './enrolment/check-runs.js';
import { openUnitNames } from './inventory/units.js';
import { acceptFingerprint } from './job/accept-fingerprint.js';
import { BundleCache } from './job/bundle-cache.js';
import { messageOf } from './error-message.js';
import { createHttpArtifacts } from './link/artifacts.js';
import { surviveFaults } from './uncaught-faults.js';
import { Link } from './link/link.js';
import { adviceOf } from './machine/errors.js';
import { DiskReport } from './spool/disk-report.js';
import { SpoolDisk } from './spool/spool-disk.js';
import { KernelSymbols } from './symbols/kernel-symbols.js';
import { FleetWatch } from './worker/fleet-watch.js';
import { startWatchdog } from './watchdog.js';
import { Worker } from './worker/worker.js';

const VERSION = '0.1.0';

function usage(problem: string): never {
  process.stderr.write(`${problem}\nusage: peerlab-agent --config FILE [--accept-fingerprint MACHINE]\n`);
  process.exit(2);
}

function readOptions(): { config: string; accept: string | null } {
  try {
    const { values } = parseArgs({
      options: { config: { type: 'string' }, 'accept-fingerprint': { type: 'string' } },
    });
    return { config: values.config ?? usage('--config is missing'), accept: values['accept-fingerprint'] ?? null };
  } catch (error) {
    return usage(messageOf(error));
  }
}

/** Told when it connects. Builds go on without it: the controller then takes every name. */
function catalogueOf(
  { capabilities, kernelDir, repositories }: AgentConfig,
  labSuites: SuiteDefinition[],
): { catalogue?: Catalogue } {
  if (!capabilities.includes('build') || kernelDir === undefined) {
    return { catalogue: { suites: [], configs: [], labSuites } };
  }
  try {
    const urls = repositories.map(({ url }) => url);
    return {
      catalogue: { ...readKernelCatalogue(kernelDir), labSuites, repositories: urls, ...recipeOf(kernelDir) },
    };
  } catch (error) {
    log.error({ err: error, kernelDir, remedy: 'correct kernelDir in the agent config' }, 'catalogue-unreadable');
    return {};
  }
}

/** Without it the controller cannot tell that kernel/ changed since a kernel was built, and nothing else is lost. */
function recipeOf(kernelDir: string): { recipe?: string } {
  try {
    return { recipe: readRecipe(kernelDir) };
  } catch (error) {
    log.warn({ err: error, kernelDir }, 'recipe-unreadable');
    return {};
  }
}

async function run(config: AgentConfig): Promise<void> {
  const token = (): string => readToken(config.tokenFile);
  token();
  const labSuites = config.suitesDir === undefined ? [] : readLabSuites(config.suitesDir);
  await lockStateWhenRoom(config.stateDir);
  mkdirSync(config.cacheDir, { recursive: true });
  const background: BackgroundWork[] = [];
  const machines = config.machines.map((machine) => {
    try {
      return composeMachine(machine, config, (work) => background.push(work));
    } catch (error) {
      throw new Error(`machine ${machine.name}: ${adviceOf(error)}`, { cause: error });
    }
  });
  const artifacts = createHttpArtifacts({ controller: config.controller, readToken: token });
  const send = (frame: FromAgent): boolean => link.send(frame);
  const spool = new SpoolDisk({ maxBytes: config.spoolMaxBytes, holdMs: config.spoolHoldSeconds * 1000 });
  const worker = new Worker({
    stateDir: config.stateDir,
    spool,
    machines,
    bundles: new BundleCache(join(config.cacheDir, 'agent', 'bundles'), artifacts),
    symbols: new KernelSymbols(config.cacheDir),
    build:
      config.capabilities.includes('build') && config.kernelDir !== undefined
        ? {
            kernelDir: config.kernelDir,
            cacheDir: config.cacheDir,
            limits: config.buildLimits,
            repositories: config.repositories,
            fetchLimits: config.fetchLimits,
            artifacts,
          }
        : null,
    buildSlots: config.buildSlots,
    takesTests: config.capabilities.includes('test'),
    send,
    sendHeartbeat: () => link.sendHeartbeat(),
    onTaken: (machine) => fleet.vacate(machine),
    onReturned: (machine) => fleet.probe(machine),
    onOtherHardware: (machine) => fleet.probe(machine),
  });
  const disk = new DiskReport(config.stateDir, spool, () => worker.senders());
  const fleet = new FleetWatch(
    machines,
    (machine) => worker.isBusy(machine),
    send,
    openUnitNames(config.stateDir),
    (machine) => readCheckRuns(config.stateDir, machine),
  );
  const link = new Link(
    { controller: config.controller, readToken: token },
    {
      hello: () => ({
        type: 'hello',
        bindsPairs: true,
        opensTerminals: true,
        protocol: AGENT_PROTOCOL,
        agent: config.name,
        site: config.site,
        version: VERSION,
        capabilities: config.capabilities,
        buildSlots: config.buildSlots,
        testSlots: config.testSlots ?? null,
        ...catalogueOf(config, labSuites),
        machines: fleet.states(),
        ...worker.report(),
      }),
      heartbeat: () => ({
        type: 'heartbeat',
        machines: fleet.states(),
        ...worker.report(),
        ...worker.clock(),
        ...disk.report(),
      }),
      onMessage: (message) => {
        worker.receive(message);
        if (message.type === 'welcome') fleet.announceAll();
        if (message.type === 'probe') fleet.probe(message.machine);
      },
      onDown: () => worker.pauseSending(),
      onTooLarge: (frame, bytes) => {
        if (frame.type === 'inventory') fleet.inventoryTooLarge(frame.machine, bytes);
      },
    },
  );
  const life = new AbortController();
  const running: Promise<void>[] = [];
  const stop = async (signal: string): Promise<void> => {
    log.info({ signal }, 'stopping');
    life.abort();
    fleet.stop();
    link.stop();
    // A session with a BMC is closed: left open it would keep the agent that starts next from the console.
    await Promise.all(running);
    worker.stop();
    process.exit(0);
  };
  // The second one ends it at once.
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void stop(signal));
  surviveFaults();
  startWatchdog();
  for (const work of background)
    running.push(work(life.signal).catch((error: unknown) => log.error({ err: error }, 'background-work-failed')));
  worker.start();
  fleet.start();
  link.start();
  log.info({ agent: config.name, version: VERSION, machines: machines.length, pid: process.pid }, 'started');
}

log.setBindings({ program: 'agent' });
const { config: path, accept } = readOptions();
try {
  const config = loadConfig(path);
  if (accept === null) await run(config);
  else process.stdout.write(`${acceptFingerprint(config, accept)}\n`);
} catch (error) {
  // The field and the remedy are for the person who starts the agent, not for a reader of its log.
  if (accept !== null || error instanceof ConfigError) process.stderr.write(`${messageOf(error)}\n`);
  else log.fatal({ err: error }, 'start-failed');
  process.exit(2);
}
