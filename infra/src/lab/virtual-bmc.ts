import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, watch } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endChild } from '@peerlab/runtime';
import type { MachinePaths, ServerPorts } from './definition.js';
import { SerialLine } from './serial-line.js';

export const BMC_USER = 'lab';
/** Pause before a simulator that ended is started again. */
const PAUSE_MS = 1000;

/** What the BMC is told to do with its server; `off` and `reset` do not ask the system. */
export type PowerOrder = 'on' | 'off' | 'reset' | 'shutdown';

/** The order of a line that the simulator's chassis program writes: `power 1`; null = none that matters here. */
export function readOrder(line: string): PowerOrder | null {
  switch (line.trim()) {
    case 'power 1':
      return 'on';
    case 'power 0':
      return 'off';
    case 'reset 1':
      return 'reset';
    case 'shutdown 1':
      return 'shutdown';
    default:
      return null;
  }
}

/** The program that ipmi_sim asks for the state of the chassis, and hands its orders to. */
const chassisProgram = (folder: string): string => `#!/bin/sh
shift; operation=$1; shift
if [ "$operation" = get ]; then
  for field; do
    case $field in power) echo "power:$(cat '${folder}/power')" ;; boot) echo "boot:default" ;; *) echo "$field:0" ;; esac
  done
else
  while [ $# -ge 2 ]; do echo "$1 $2" >>'${folder}/orders'; shift 2; done
fi
`;

const lanConfig = (folder: string, ports: ServerPorts, password: string): string => `name "server"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${ports.ipmi}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  serial 15 127.0.0.1 ${ports.bmc} codec VM
  chassis_control "${folder}/chassis 0x20"
  sol "tcp:localhost:${ports.console}" 115200
  user 2 true "${BMC_USER}" "${password}" admin 10 none md2 md5 straight
`;

const EMULATOR_CONFIG =
  'mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nsel_enable 0x20 1000 0x0a\nmc_enable 0x20\n';

/** The service processor of a virtual server: OpenIPMI's simulator (Debian package openipmi), for as long as the lab runs. */
export class VirtualBmc {
  readonly passwordFile: string;
  readonly #folder: string;
  readonly #line = new SerialLine();
  readonly #stopping = new AbortController();
  #child: ChildProcess | null = null;
  #watching: Promise<void> = Promise.resolve();
  #orders = 0;

  constructor(
    private readonly paths: MachinePaths,
    private readonly ports: ServerPorts,
    private readonly onOrder: (order: PowerOrder) => void,
  ) {
    this.#folder = paths.bmcDir;
    this.passwordFile = join(this.#folder, 'password');
  }

  /** Writes what the simulator reads; the password stays over restarts of the lab. */
  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const kept = await readFile(this.passwordFile, 'utf8').catch(() => '');
    const password = kept === '' ? randomBytes(8).toString('hex') : kept;
    await writeFile(this.passwordFile, password, { mode: 0o600 });
    await writeFile(join(this.#folder, 'lan.conf'), lanConfig(this.#folder, this.ports, password), { mode: 0o600 });
    await writeFile(join(this.#folder, 'sim.emu'), EMULATOR_CONFIG);
    await writeFile(join(this.#folder, 'chassis'), chassisProgram(this.#folder), { mode: 0o700 });
    await writeFile(join(this.#folder, 'orders'), '');
    await this.setPower(false);
  }

  /** Listens for the server's serial line, then keeps the simulator running until `stop`. */
  async start(): Promise<void> {
    await this.#line.open(this.paths.serialSocket, this.ports.console);
    this.#watching = Promise.all([this.#keepRunning(), this.#followOrders()]).then(() => undefined);
  }

  /** What the BMC answers when it is asked for the state of its server. */
  async setPower(on: boolean): Promise<void> {
    const file = join(this.#folder, 'power');
    // In one step: the simulator may read it at any time.
    await writeFile(`${file}.new`, on ? '1' : '0');
    await rename(`${file}.new`, file);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#child !== null) endChild(this.#child);
    await this.#watching;
    await this.#line.close();
  }

  async #keepRunning(): Promise<void> {
    const files = ['-c', join(this.#folder, 'lan.conf'), '-f', join(this.#folder, 'sim.emu')];
    const args = ['--pdeathsig', 'TERM', '--', 'ipmi_sim', '-n', ...files, '-s', join(this.#folder, 'state')];
    while (!this.#stopping.signal.aborted) {
      const log = openSync(join(this.#folder, 'ipmi_sim.log'), 'w');
      const child = spawn('setpriv', args, { stdio: ['ignore', log, log], detached: true });
      closeSync(log);
      this.#child = child;
      await new Promise<void>((resolve) => {
        child.once('error', () => resolve());
        child.once('close', () => resolve());
      });
      this.#child = null;
      await delay(PAUSE_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
  }

  /** Hands each order over once, in the order in which they came. */
  async #followOrders(): Promise<void> {
    const file = join(this.#folder, 'orders');
    const { signal } = this.#stopping;
    const watcher = watch(file);
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    let changed = new Promise<void>((resolve) => watcher.once('change', () => resolve()));
    watcher.on('error', () => undefined);
    try {
      while (!signal.aborted) {
        await Promise.race([changed, stopped]);
        changed = new Promise<void>((resolve) => watcher.once('change', () => resolve()));
        const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
        for (const line of lines.slice(this.#orders)) {
          const order = readOrder(line);
          if (order !== null) this.onOrder(order);
        }
        this.#orders = lines.length;
      }
    } finally {
      watcher.close();
    }
  }
}
