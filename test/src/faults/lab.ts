import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type FakeBoot, type FakeEvent, type FakeMachine, type FakeTest, startFakeMachine } from '@peerlab/agent/fake';
import type { BundleManifest } from '@peerlab/contracts';
import { ACTOR_COMMAND, POWER_SOCKET, type PowerOrder } from './power-actor.js';
import { type VirtualClock, virtualNow } from './virtual-time.js';

/** What the switches of a machine were told to do, outside of it. */
export interface PowerEvent {
  type: 'power';
  /** `discard` = the machine starts again on a fresh disk. */
  action: 'reset' | 'discard';
  /** Of the attempt that did it; null = none said so. */
  fence: number | null;
  /** The attempt is putting the machine back. */
  restoring: boolean;
}

/** Something that happened at a machine, as the lab recorded it. */
export interface Truth {
  /** Virtual epoch milliseconds. */
  atMs: number;
  machine: string;
  /** Boot id of the kernel that ran, and the nonce on its command line; null = default kernel or none. */
  bootId: string;
  nonce: string | null;
  event: FakeEvent | PowerEvent;
}

/** What a machine is to do in a schedule. */
export interface MachineScript {
  boots: FakeBoot[];
  tests: { id: string; act: FakeTest['act'] }[];
}

/** Machines with a disk that can be thrown away; the others are restored in place. */
const WITH_DISK = new Set(['fake-c']);

/** Real. Often enough that something is always under way when a fault strikes. */
const CHAT_EVERY_MS = 40;
/** Lines that each test prints. */
const OUTPUT_LINES = 40;

/** What the inventory script prints on a fake machine: one provider and one client below one switch. */
export const FAKE_INVENTORY = `@kernel
6.1.0-50-cloud-amd64
BOOT_IMAGE=/boot/vmlinuz-6.1 quiet
040000001400000003000000474e5500${'d0'.repeat(20)}
@cpu
2
vendor_id\t: AuthenticAMD
cpu family\t: 23
model\t\t: 1
model name\t: fake
@memory
MemTotal: 1000000 kB
@system
sys_vendor=QEMU
product_name=fake
board_name=
bios_version=1
@iommu
@functions
/sys/devices/pci0000:00/0000:00:00.0|0x8086|0x29c0|0x0000|0x0000|0x060000|0x00|||||-1|
/sys/devices/pci0000:00/0000:00:01.0|0x1b36|0x000c|0x0000|0x0000|0x060400|0x00|||||-1|
/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0|0x104c|0x8232|0x0000|0x0000|0x060400|0x00|||||-1|
/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:03:00.0|0x1af4|0x1110|0x0000|0x0000|0x050000|0x00|||||-1|
/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:04:00.0|0x1234|0x11e8|0x0000|0x0000|0x00ff00|0x00|||||-1|
@config
`;

/** One fake machine with its power switch, its chatty kernel and its record of what it did. */
class LabMachine {
  #count = 0;
  #chat: NodeJS.Timeout | null = null;
  #bootId = '';
  #nonce: string | null = null;
  #power: Server | null = null;
  readonly #diskState: string;

  constructor(
    readonly name: string,
    readonly fake: FakeMachine,
    readonly suite: string,
    private readonly folder: string,
    /** What is written to its disk can be thrown away. */
    private readonly hasDisk: boolean,
    private readonly record: (truth: Omit<Truth, 'atMs'>) => void,
  ) {
    this.#diskState = join(folder, 'disk');
    fake.inventory = FAKE_INVENTORY;
    fake.onEvent = (event) => this.#note(event);
  }

  get config(): object {
    return {
      name: this.name,
      description: 'a machine on script',
      labels: { lab: 'fake' },
      shell: {
        driver: 'ssh',
        host: '127.0.0.1',
        port: this.fake.ssh.port,
        privateKeyFile: join(this.folder, 'key'),
        hostKey: this.fake.ssh.hostKey,
      },
      power: { driver: 'qemu', qmpSocket: join(this.folder, POWER_SOCKET) },
      console: { driver: 'file', logFile: join(this.folder, 'console.log') },
      deviceMemory: { driver: 'file', path: join(this.folder, 'vram') },
      ...(this.hasDisk && {
        disk: { driver: 'qemu', qmpSocket: join(this.folder, POWER_SOCKET), stateFile: this.#diskState },
      }),
    };
  }

  /** Opens the monitor that turns it off and on. */
  async servePower(): Promise<void> {
    this.#power = await servePower(join(this.folder, POWER_SOCKET), this);
  }

  follow(script: MachineScript): void {
    this.fake.candidateBoots = [...script.boots];
    this.fake.suites = {
      [this.suite]: script.tests.map(({ id, act }) => ({
        id,
        act,
        output: () => Array.from({ length: OUTPUT_LINES }, () => `${this.name} output ${this.#count++}`),
      })),
    };
  }

  /** What a person in the lab does: what was broken works again, and the default kernel runs. */
  async mend(): Promise<void> {
    this.fake.defaultIsBroken = false;
    rmSync(this.#diskState, { force: true });
    const { fence } = this.fake;
    await this.fake.disk.reset();
    if (!this.hasDisk) this.fake.fence = fence;
  }

  /** As the lab does when QEMU ends: it starts again, on a fresh disk where the state file says so. */
  async restart(): Promise<void> {
    const order = existsSync(this.#diskState) ? readFileSync(this.#diskState, 'utf8').trim() : '';
    if (order !== 'discard') return this.fake.power.reset();
    rmSync(this.#diskState);
    await this.fake.disk.reset();
  }

  /** Notes what the power switch is told to do, before it does it. */
  notePower(event: PowerEvent): void {
    this.#note(event);
  }

  /** What keeps the machine from being as it was found; empty when nothing does. */
  leftovers(): string[] {
    const { fake } = this;
    return [
      ...(fake.running === 'default' ? [] : [`its running kernel is: ${fake.running}`]),
      ...(fake.customConfig.includes('peerlab') ? ['its boot menu has our entry'] : []),
      ...(fake.nextEntry === null ? [] : [`it boots ${fake.nextEntry} next`]),
      ...[...fake.files.keys()].map((path) => `${path} is left`),
    ];
  }

  async stop(): Promise<void> {
    if (this.#chat !== null) clearInterval(this.#chat);
    this.#power?.close();
    await this.fake.stop();
  }

  #note(event: Truth['event']): void {
    if (event.type === 'up') {
      this.#bootId = event.bootId;
      this.#nonce = /peerlab\.nonce=([0-9a-f]+)/.exec(event.commandLine)?.[1] ?? null;
    }
    this.record({ machine: this.name, bootId: this.#bootId, nonce: this.#nonce, event });
    if (event.type === 'up' && event.kernel === 'candidate') {
      this.#chat ??= setInterval(() => this.fake.printk(`${this.name} says ${this.#count++}`), CHAT_EVERY_MS);
    }
    if (event.type === 'down') {
      if (this.#chat !== null) clearInterval(this.#chat);
      this.#chat = null;
      this.#nonce = null;
    }
  }
}
export type { LabMachine };

/** A lab of fake machines that outlives agents and controllers, and knows what really happened. */
export class Lab {
  readonly machines = new Map<string, LabMachine>();
  readonly truth: Truth[] = [];
  /** Called with everything that is noted. */
  onTruth: (truth: Truth) => void = () => undefined;

  private constructor(private readonly clock: VirtualClock) {}

  /** `folder` gets one folder for each machine. The machines run one suite of the bundle. */
  static async start(
    folder: string,
    names: readonly string[],
    manifest: BundleManifest,
    clock: VirtualClock,
  ): Promise<Lab> {
    const lab = new Lab(clock);
    const suite = manifest.suites[0]?.name ?? '';
    for (const name of names) {
      const own = join(folder, name);
      await mkdir(own, { recursive: true });
      const fake = await startFakeMachine({
        consoleFile: join(own, 'console.log'),
        candidateBuildId: manifest.buildId,
        candidateRelease: manifest.release,
      });
      writeFileSync(join(own, 'vram'), fake.memory);
      writeFileSync(join(own, 'key'), fake.ssh.clientKey.private, { mode: 0o600 });
      const hasDisk = WITH_DISK.has(name);
      const machine = new LabMachine(name, fake, suite, own, hasDisk, (truth) => lab.#record(truth));
      await machine.servePower();
      lab.machines.set(name, machine);
    }
    return lab;
  }

  machine(name: string): LabMachine {
    const machine = this.machines.get(name);
    if (machine === undefined) throw new Error(`the lab has no machine ${name}`);
    return machine;
  }

  async stop(): Promise<void> {
    for (const machine of this.machines.values()) await machine.stop();
  }

  #record(truth: Omit<Truth, 'atMs'>): void {
    const whole = { atMs: virtualNow(this.clock), ...truth };
    this.truth.push(whole);
    this.onTruth(whole);
  }
}

/** As much of a QEMU monitor as the agent's power and disk drivers ask for. */
async function servePower(path: string, machine: LabMachine): Promise<Server> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    const answer = (message: object): void => {
      if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
    };
    answer({ QMP: { version: {}, capabilities: [] } });
    let actor: Pick<PowerEvent, 'fence' | 'restoring'> = { fence: null, restoring: false };
    const lines = createInterface({ input: socket });
    // A client that is killed in the middle of a sentence.
    lines.on('error', () => undefined);
    lines.on('line', (line) => {
      const { execute, id, arguments: said } = JSON.parse(line) as PowerOrder;
      if (execute === ACTOR_COMMAND) {
        actor = { fence: said?.fence ?? null, restoring: said?.stage === 'restore' };
        return;
      }
      if (execute === 'system_reset') {
        machine.notePower({ type: 'power', action: 'reset', ...actor });
        void machine.fake.power.reset();
      }
      if (execute === 'quit') {
        machine.notePower({ type: 'power', action: 'discard', ...actor });
        void machine.restart();
      }
      answer({ return: execute === 'query-status' ? { running: true } : {}, id });
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}
