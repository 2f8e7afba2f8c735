import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ApiError, HttpClient } from '@peerlab/client';
import type { MachineSummary } from '@peerlab/contracts';
import { imageScripts } from '../lab/images.js';
import { chooseMachines } from '../lab/machines.js';
import { farmAgents, type LabDefinition } from './agents.js';
import type { StartOptions } from './options.js';
import { Service } from './service.js';
import { runStep, StepError } from './step.js';
import type { Terminal } from './terminal.js';

const run = promisify(execFile);

/** How long the controller may take to answer. At the first start embedded Postgres creates its data folder. */
const CONTROLLER_MS = 120_000;
/**
 * How long until one more virtual machine answers over SSH, under software emulation beside a kernel build. There is
 * no limit for all of them together, because only a few boot at the same time.
 */
const NEXT_MACHINE_MS = 600_000;
const POLL_MS = 250;

/** Starts and stops the services of `npm start`. */
export class Farm {
  private readonly services: Service[] = [];
  private controllerStarted = false;
  private readonly controllerEnv: Record<string, string>;
  client: HttpClient;

  constructor(
    private readonly options: StartOptions,
    private readonly terminal: Terminal,
  ) {
    this.controllerEnv = {
      PEERLAB_PORT: String(options.port),
      PEERLAB_STATE: options.stateDir,
      PEERLAB_CACHE: options.cacheDir,
      PEERLAB_TEMPLATES: join(options.root, 'infra/runs'),
      PEERLAB_WEB: join(options.root, 'apps/web/dist'),
    };
    this.client = new HttpClient({ url: this.url, token: () => null });
  }

  get url(): string {
    return `http://127.0.0.1:${this.options.port}`;
  }

  private path(...parts: string[]): string {
    return join(this.options.root, ...parts);
  }

  /** Builds the disk images of the chosen machines, unless they are cached. */
  async prepareImages(): Promise<void> {
    const chosen = chooseMachines(this.options.machines);
    // An unknown name is told by the lab.
    const machines = 'unknown' in chosen ? [] : chosen;
    for (const { name, command } of imageScripts(this.path('infra'), machines, this.options.cacheDir)) {
      const step = this.terminal.step(`disk image of ${name === '' ? 'the virtual machines' : name}`);
      await runStep(command, {
        cwd: this.options.root,
        logFile: join(this.options.stateDir, name === '' ? 'log/image.log' : `log/image-${name}.log`),
        result: 'image',
        onProgress: step.progress,
      });
      step.done();
    }
  }

  async prepareKernelSource(): Promise<void> {
    const step = this.terminal.step('kernel source');
    // The folder in which the agent's builds look for it.
    const cache = join(this.options.cacheDir, 'builder');
    await runStep([this.path('kernel/scripts/fetch-base.sh'), '--cache', cache], {
      cwd: this.options.root,
      logFile: join(this.options.stateDir, 'log/kernel-source.log'),
      result: '',
      onProgress: step.progress,
    });
    step.done();
  }

  async startController(): Promise<void> {
    const step = this.terminal.step('database and controller');
    await mkdir(this.options.stateDir, { recursive: true });
    const controller = this.service(
      'controller',
      ['node', this.path('apps/controller/dist/main.js')],
      this.controllerEnv,
    );
    await controller.endLeftOver();
    await assertPortFree(this.options.port, '--port or PEERLAB_PORT');
    this.controllerStarted = true;
    await controller.start();
    await this.until(CONTROLLER_MS, 'the controller did not answer', async () => {
      try {
        return (await this.client.call('health', {})).status === 'ok';
      } catch (error) {
        if (error instanceof ApiError) return false;
        throw error;
      }
    });
    const token = await this.token('user', 'local', join(this.options.stateDir, 'user.token'));
    this.client = new HttpClient({ url: this.url, token: () => token });
    step.done(this.url);
  }

  /** A token of this farm in a file of the state folder, created once; the controller stores only its hash. */
  private async token(kind: 'user' | 'agent', name: string, file: string): Promise<string> {
    const database = process.env['DATABASE_URL'] ?? 'embedded';
    try {
      const kept = JSON.parse(await readFile(`${file}.origin`, 'utf8')) as { database: string };
      // A token is valid only in the database that it was created in.
      if (kept.database === database) return (await readFile(file, 'utf8')).trim();
    } catch {
      // No token yet.
    }
    const main = this.path('apps/controller/dist/main.js');
    const { stdout } = await run('node', [main, 'token', 'create', '--kind', kind, '--name', name], {
      env: { ...process.env, ...this.controllerEnv },
    });
    const token = stdout.trim().split('\n').at(-1) ?? '';
    await writeFile(file, `${token}\n`, { mode: 0o600 });
    await chmod(file, 0o600);
    await writeFile(`${file}.origin`, JSON.stringify({ database }));
    return token;
  }

  async startLab(): Promise<void> {
    const machines = this.options.machines.length === 0 ? [] : ['--machines', this.options.machines.join(',')];
    const command = [
      'node',
      this.path('infra/dist/lab/main.js'),
      'up',
      '--cache',
      this.options.cacheDir,
      '--state',
      this.options.stateDir,
    ];
    const lab = this.service('lab', [...command, '--port-base', String(this.options.labPortBase), ...machines], {});
    await lab.endLeftOver();
    await lab.start();
  }

  /** Starts the agents, who share the machines of the lab. */
  async startAgents(lab: LabDefinition): Promise<void> {
    for (const agent of farmAgents(this.options, this.url, lab)) {
      await this.token('agent', agent.name, agent.tokenFile);
      // JSON is valid YAML.
      if (agent.machines !== null) await writeJson(agent.machines.file, agent.machines.definition);
      await writeJson(agent.configFile, agent.config);
      const command = ['node', this.path('apps/agent/dist/main.js'), '--config', agent.configFile];
      const service = this.service(agent.service, command, {});
      await service.endLeftOver();
      await service.start();
    }
  }

  /** Waits until the lab has written which machines there are. */
  async awaitLabDefinition(notBefore: number): Promise<LabDefinition> {
    const file = join(this.options.stateDir, 'lab/agent-machines.json');
    let definition: LabDefinition = { machines: [] };
    await this.until(CONTROLLER_MS, `the lab did not write ${file}`, async () => {
      try {
        if ((await stat(file)).mtimeMs < notBefore) return false;
        definition = JSON.parse(await readFile(file, 'utf8')) as LabDefinition;
        return definition.machines.length > 0;
      } catch {
        return false;
      }
    });
    return definition;
  }

  /** Waits until every machine answers and its hardware is known. @throws StepError when that takes too long */
  async awaitMachines(names: string[]): Promise<MachineSummary[]> {
    const step = this.terminal.step('virtual machines');
    let ready: MachineSummary[] = [];
    while (ready.length < names.length) {
      const before = ready.length;
      const missing = names.filter((name) => !ready.some((m) => m.name === name)).join(', ');
      await this.until(NEXT_MACHINE_MS, `none of the virtual machines ${missing} answered`, async () => {
        const { machines } = await this.client.call('getFleet', {});
        ready = machines.filter(
          // A machine may be busy although its hardware is not known yet.
          (m) => names.includes(m.name) && (m.observed === 'online' || (m.observed === 'busy' && m.paths.length > 0)),
        );
        step.progress((100 * ready.length) / names.length, ready.map((m) => m.name).join(', '));
        return ready.length > before || ready.length === names.length;
      });
    }
    step.done(ready.map((m) => `${m.name} ${m.paths.map((p) => p.kind).join('+')}`).join(', '));
    return ready;
  }

  private service(name: string, command: string[], env: Record<string, string>): Service {
    const service = new Service({ name, command, env }, this.options.stateDir, (line) => this.terminal.say(line));
    this.services.push(service);
    return service;
  }

  /** Rejects when a service failed for good; never resolves. */
  async failure(): Promise<never> {
    throw new StepError((await Promise.race(this.services.map((s) => s.failed))).message);
  }

  private async until(limitMs: number, what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + limitMs;
    const failed = this.failure();
    failed.catch(() => undefined);
    for (;;) {
      if (await Promise.race([holds(), failed])) return;
      if (Date.now() > deadline)
        throw new StepError(`${what} within ${limitMs / 1000} s; logs: ${join(this.options.stateDir, 'log')}`);
      await Promise.race([delay(POLL_MS), failed]);
    }
  }

  /** Stops the services, the last started first, then the embedded database. */
  async stop(): Promise<void> {
    for (const service of [...this.services].reverse()) await service.stop();
    if (this.controllerStarted && process.env['DATABASE_URL'] === undefined) {
      try {
        await run('node', [this.path('apps/controller/dist/main.js'), 'database', 'stop'], {
          env: { ...process.env, ...this.controllerEnv },
        });
      } catch (error) {
        // Not thrown: the reason for stopping is more important.
        this.terminal.say(`could not stop the database: ${(error as Error).message}`);
      }
    }
  }
}

const writeJson = (file: string, value: object): Promise<void> =>
  writeFile(file, `${JSON.stringify(value, null, 2)}\n`);

async function assertPortFree(port: number, setting: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? `port ${port} is taken by another program; choose another with ${setting}`
          : error.message;
      reject(new StepError(why));
    });
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });
}
