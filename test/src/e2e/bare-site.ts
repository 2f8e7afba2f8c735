import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { HttpClient } from '@peerlab/client';
import { eventually } from '@peerlab/controller/testing';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { cacheFolder } from '@peerlab/runtime';
import { parseDocument } from 'yaml';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const program = (path: string): string => join(root, path);
/** A computer beside kernel builds takes minutes for the first boot of a server. */
const BOOT_MS = 20 * 60_000;
/** The disk image of a server, where it is not stored: 7 to 18 minutes beside other work. */
const IMAGE_MS = 30 * 60_000;

/** What the lab wrote of its machine: where it answers, which key opens it, and its BMC. */
interface LabMachines {
  /** What kernels are signed with, where a machine has Secure Boot. */
  signing?: { keyFile: string; certificateFile: string };
  bmcs: Record<string, { port: number; user: string; passwordFile: string }>;
  machines: { name: string; shell: { port: number; privateKeyFile: string; hostKey: string } }[];
}

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * A server of the virtual lab and a controller, and beside them what an administrator of a site begins with: the config of
 * an agent that has no machine, with the server's BMC described.
 */
export class BareSite {
  readonly client: HttpClient;
  readonly configFile: string;
  output = '';
  readonly #children: ChildProcess[] = [];
  #machines: LabMachines = { bmcs: {}, machines: [] };

  private constructor(
    readonly farm: TestFarm,
    readonly folder: string,
    readonly machine: string,
  ) {
    this.client = new HttpClient({ url: farm.server.url, token: () => farm.userToken });
    this.configFile = join(folder, 'agent.yaml');
  }

  static async start(machine: string): Promise<BareSite> {
    const farm = await TestFarm.start();
    const folder = await mkdtemp(join(tmpdir(), 'peerlab-site-'));
    await chmod(folder, 0o755);
    const site = new BareSite(farm, folder, machine);
    try {
      await site.#begin();
      return site;
    } catch (error) {
      await site.remove();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const { folder, machine } = this;
    const ports = String(30_000 + Math.floor(Math.random() * 20_000));
    const lab = ['up', '--cache', cacheFolder(), '--state', folder, '--port-base', ports, '--machines', machine];
    this.#spawn('infra/dist/lab/main.js', lab);
    const answers = new RegExp(`"machine":"${machine}","state":"ssh"`);
    await this.until('the first boot of the server', IMAGE_MS + BOOT_MS, async () =>
      answers.test(this.output) ? true : null,
    );
    const written = await readFile(join(folder, 'lab/agent-machines.json'), 'utf8');
    this.#machines = JSON.parse(written) as LabMachines;
    // Of its own: an administrator puts configurations for the machines of the site there.
    await cp(program('kernel'), join(folder, 'kernel'), { recursive: true });
    await writeFile(join(folder, 'agent.token'), await this.farm.token('agent', 'site'), { mode: 0o600 });
    const config = {
      controller: this.farm.server.url,
      tokenFile: 'agent.token',
      name: 'site',
      stateDir: 'agent',
      cacheDir: cacheFolder(),
      kernelDir: 'kernel',
      capabilities: ['test', 'build'],
      ...(this.#machines.signing === undefined ? {} : { signing: this.#machines.signing }),
      bmcs: this.#machines.bmcs,
    };
    const lines = Object.entries(config).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`);
    await writeFile(this.configFile, `# the site of a test\n${lines.join('')}`);
  }

  get #shell(): LabMachines['machines'][number]['shell'] {
    const [machine] = this.#machines.machines;
    if (machine === undefined) throw new Error('the lab has no machine');
    return machine.shell;
  }

  /** `peerlab machine add` for the lab's server, with more arguments. */
  enrol(...more: string[]): Promise<Ended> {
    const { port, privateKeyFile, hostKey } = this.#shell;
    const blob = Buffer.from(hostKey.split(' ')[1] ?? '', 'base64');
    const fingerprint = `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
    const where = [
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
      '--key',
      privateKeyFile,
      '--fingerprint',
      fingerprint,
    ];
    return this.#command('machine', 'add', this.machine, '--config', this.configFile, ...where, ...more);
  }

  #command(...args: string[]): Promise<Ended> {
    const child = this.#spawn('apps/cli/dist/main.js', args);
    const [stdout, stderr]: [string[], string[]] = [[], []];
    child.stdout?.on('data', (piece: Buffer) => stdout.push(piece.toString()));
    child.stderr?.on('data', (piece: Buffer) => stderr.push(piece.toString()));
    return new Promise((resolve) =>
      child.once('close', (code) => {
        // How a command ends is for its test to judge; only what is to go on may not end.
        this.#children.splice(this.#children.indexOf(child), 1);
        resolve({ code: code ?? -1, stdout: stdout.join(''), stderr: stderr.join('') });
      }),
    );
  }

  /** Writes into the config that `machine add` left how long the firmware of the server may take, as an administrator who knows it. */
  async setFirmwareSeconds(seconds: number): Promise<void> {
    const config = parseDocument(await readFile(this.configFile, 'utf8'));
    config.setIn(['machines', 0, 'firmwareSeconds'], seconds);
    await writeFile(this.configFile, config.toString());
  }

  /** Starts the agent of the site with the config as it stands; resolves when it knows the hardware of the server. */
  async startAgent(): Promise<void> {
    this.#spawn('apps/agent/dist/main.js', ['--config', this.configFile]);
    await this.until('the server in the farm', BOOT_MS, async () => {
      const { machines } = await this.client.call('getFleet', {});
      return machines.some(({ name, paths }) => name === this.machine && paths.length > 0) ? true : null;
    });
  }

  /** Runs a command on the server, as its administrator does. @param input what it reads */
  async shell(command: string, input = ''): Promise<string> {
    const { port, privateKeyFile, hostKey } = this.#shell;
    const known = join(this.folder, 'known_hosts');
    await writeFile(known, `[127.0.0.1]:${port} ${hostKey}\n`);
    const options = [`UserKnownHostsFile=${known}`, 'BatchMode=yes', 'ConnectTimeout=60'].flatMap((one) => ['-o', one]);
    const login = ['-i', privateKeyFile, '-p', String(port), ...options, 'root@127.0.0.1'];
    const answer = promisify(execFile)('ssh', [...login, command], { timeout: 180_000, maxBuffer: 2 ** 22 });
    answer.child.stdin?.end(input);
    return (await answer).stdout;
  }

  /** Tells the BMC of the server, beside the agent, as somebody else might. Resolves when it took the order. */
  async power(order: 'off' | 'reset'): Promise<void> {
    const bmc = this.#machines.bmcs[this.machine];
    if (bmc === undefined) throw new Error('the lab described no BMC');
    const login = ['-I', 'lanplus', '-C', '3', '-H', '127.0.0.1', '-p', String(bmc.port), '-U', bmc.user];
    const args = [...login, '-f', bmc.passwordFile, 'chassis', 'power', order];
    await promisify(execFile)('ipmitool', args, { timeout: 60_000 });
  }

  /** `peerlab machine configure` for the server. The agent reads which configurations there are when it starts. */
  configureKernel(name: string, ...more: string[]): Promise<Ended> {
    return this.#command('machine', 'configure', this.machine, '--config', this.configFile, '--as', name, ...more);
  }

  /** Whether the agent recorded the server's console when it last said something of it. */
  get hasConsole(): boolean {
    return this.output.lastIndexOf('"console-connected"') > this.output.lastIndexOf('"console-lost"');
  }

  /** The process of the server's BMC. */
  async bmcProcess(): Promise<number> {
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const [program = '', ...args] = await readFile(`/proc/${pid}/cmdline`, 'utf8').then(
        (text) => text.split('\0'),
        () => [],
      );
      if (program.endsWith('ipmi_sim') && args.some((arg) => arg.startsWith(this.folder))) return Number(pid);
    }
    throw new Error(`no ipmi_sim works for ${this.folder}`);
  }

  async until<T>(what: string, limitMs: number, look: () => Promise<T | null>): Promise<T> {
    const lookAgain = async (): Promise<T | null> => {
      const ended = this.#children.find((child) => child.exitCode !== null && child.exitCode !== 0);
      if (ended === undefined) return look();
      throw new Error(`${ended.spawnargs[1] ?? ''} ended with ${ended.exitCode ?? ''} before ${what}\n${this.output}`);
    };
    const found = await eventually(what, lookAgain, (value) => value !== null, { limitMs, everyMs: 500 });
    if (found === null) throw new Error(`${what} is null`);
    return found;
  }

  #spawn(path: string, args: string[]): ChildProcess {
    const child = spawn(process.execPath, [program(path), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (piece: Buffer) => {
        this.output += piece.toString();
        if (process.env['PEERLAB_TEST_VERBOSE'] !== undefined) process.stderr.write(piece);
      });
    this.#children.push(child);
    return child;
  }

  /** Ends what was started, the last first. */
  async remove(): Promise<void> {
    for (const child of [...this.#children].reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await closed;
    }
    await this.farm.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
