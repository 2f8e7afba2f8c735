import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { FakeMachine } from '../fake/fake-machine.js';
import { netconsole } from '../machine/drivers/recorded-consoles.js';
import type { Console } from '../machine/protocols.js';

/** Where a kernel has netconsole: `module` = not loaded yet, as in machine/console/netconsole-starter.ts. */
type NetconsoleState = 'module' | 'loaded' | 'told' | 'untold' | 'none';

/** The address that the machine sends from. */
const FROM = '127.0.0.2';

/** A fake machine whose kernels print by real datagrams once they were told to, and to nothing else that is recorded. */
export class NetconsoleMachine {
  /** Of the kernel that runs; a boot sets it anew. */
  state: NetconsoleState = 'module';
  /** Of each kernel, when it comes up. */
  readonly atBoot: { default: NetconsoleState; candidate: NetconsoleState } = {
    default: 'module',
    candidate: 'module',
  };
  driver = 'driver|mlx5_core\n';
  /** With what the module was loaded. */
  readonly loaded: string[] = [];
  unloads = 0;
  /** Datagrams are lost on their way. */
  isCut = false;
  readonly #fake: FakeMachine;
  readonly #socket: Socket = createSocket('udp4');
  readonly #stop = new AbortController();
  readonly #work: Promise<void>[] = [];
  readonly console: Console;
  readonly port: number;

  private constructor(fake: FakeMachine, stateDir: string, port: number) {
    this.#fake = fake;
    this.port = port;
    const settings = netconsole.schema.parse({ driver: 'netconsole', host: '127.0.0.1', port, from: FROM });
    this.console = netconsole.create(settings, {
      machine: 'v-switch',
      stateDir,
      bmc: () => {
        throw new Error('no BMC');
      },
      runInBackground: (work) => void this.#work.push(work(this.#stop.signal)),
    });
    fake.answers.set('netconsole-state', (channel) => {
      channel.write(`${this.state === 'module' || this.state === 'none' ? 'absent' : this.state}\n`);
      channel.exit(0);
    });
    fake.answers.set('netconsole-way', (channel) => {
      channel.write(`agent|127.0.0.1\ndevice|eno1\nmac|52:54:00:00:00:01\nnext-hop|52:54:00:00:00:02\n${this.driver}`);
      channel.exit(0);
    });
    fake.answers.set('netconsole-load', (channel, { argument }) => {
      if (this.state === 'none') {
        channel.writeError('modprobe: FATAL: Module netconsole not found in directory /lib/modules/x\n');
        return channel.exit(1);
      }
      this.loaded.push(String(argument));
      this.state = 'loaded';
      // With an argument the kernel prints all that its log has.
      for (const record of fake.readKmsg()) this.#send(`${record.slice(record.indexOf(';') + 1)}\n`);
      channel.exit(0);
    });
    fake.answers.set('netconsole-unload', (channel) => {
      this.unloads += 1;
      this.state = 'module';
      channel.exit(0);
    });
    const before = fake.onEvent;
    fake.onEvent = (event) => {
      before(event);
      if (event.type === 'down') this.state = 'none';
      if (event.type === 'up') this.state = this.atBoot[event.kernel];
      if (event.type === 'console' && (this.state === 'loaded' || this.state === 'told'))
        for (const line of event.lines) this.#send(`${line}\n`);
    };
  }

  /** The machine with its console, which is recorded below `stateDir`. */
  static async start(fake: FakeMachine, stateDir: string): Promise<NetconsoleMachine> {
    const free = createSocket('udp4');
    free.bind(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address();
    await new Promise<void>((resolve) => free.close(resolve));
    const started = new NetconsoleMachine(fake, stateDir, port);
    started.#socket.bind(0, FROM);
    await once(started.#socket, 'listening');
    return started;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#work);
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  /** To where the argument says, as far as it says so; built in, it was told the same. */
  #send(text: string): void {
    const to = /,(\d+)@([\d.]+)\//.exec(this.loaded.at(-1) ?? this.#fake.kernel.commandLine);
    if (to === null || this.isCut) return;
    this.#socket.send(text, Number(to[1]), to[2]);
  }
}
