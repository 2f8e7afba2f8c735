import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { forgetProcess, rememberedProcess, rememberProcess } from '../start/process-file.js';
import { chooseAccelerator } from './accelerator.js';
import { writeAgentMachines } from './agent-machines.js';
import type { MachineDefinition } from './definition.js';
import type { DiskImage } from './disk.js';
import { LabError } from './errors.js';
import { ensureKeyPair } from './keys.js';
import { VirtualMachine } from './machine.js';
import { labDirectory, makePrivateDirectory } from './paths.js';

/** Anything the lab has to say; one JSON line each on standard output. */
export type LabEvent =
  | { event: 'lab'; state: 'preparing' | 'up' | 'stopped'; text: string }
  | { event: 'machine'; name: string; state: 'starting' | 'ssh' | 'down'; reason: string };

export interface LabOptions {
  stateDir: string;
  image: DiskImage;
  machines: readonly MachineDefinition[];
  /** Machines that boot at the same time. */
  bootSlots: number;
  /** SSH port of the first machine that is defined; each machine has its own offset, whichever are chosen. */
  portOf: (name: string) => number;
  say: (event: LabEvent) => void;
}

/** A machine that has not answered by then no longer holds up those after it. */
const FIRST_BOOT_MS = 180_000;

export function supervisorFile(stateDir: string): string {
  return join(labDirectory(stateDir), 'supervisor.json');
}

/** The virtual machines of one state folder, from preparation to their end. */
export class Lab {
  private readonly machines: VirtualMachine[];
  private readonly ending = new AbortController();

  constructor(private readonly options: LabOptions) {
    this.machines = options.machines.map(
      (definition) =>
        new VirtualMachine(definition, options.stateDir, options.portOf(definition.name), (state, reason) =>
          options.say({ event: 'machine', name: definition.name, state, reason }),
        ),
    );
  }

  /** Prepares all machines, tells the agent about them, then starts them. */
  async up(): Promise<void> {
    const { stateDir, image, say } = this.options;
    await mkdir(stateDir, { recursive: true });
    await makePrivateDirectory(labDirectory(stateDir));
    const other = await rememberedProcess(supervisorFile(stateDir));
    if (other !== null)
      throw new LabError(`a lab runs already on ${stateDir} (process ${other})`, 'stop it with: peerlab-lab down');
    await rememberProcess(supervisorFile(stateDir), process.pid);
    const choice = await chooseAccelerator(image.file, join(labDirectory(stateDir), 'accelerator.json'));
    say({ event: 'lab', state: 'preparing', text: `accelerator ${choice.accelerator}: ${choice.reason}` });
    const clientKey = await ensureKeyPair(join(labDirectory(stateDir), 'client_key'), 'peerlab agent');
    const prepared = [];
    for (const machine of this.machines) prepared.push(await machine.prepare(image, choice.accelerator, clientKey));
    const file = await writeAgentMachines(stateDir, prepared);
    await this.bootAll();
    say({ event: 'lab', state: 'up', text: file });
  }

  /** Starts the machines in the order of their definition, `bootSlots` at a time. */
  private async bootAll(): Promise<void> {
    const waiting = [...this.machines];
    const bootInTurn = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        if (this.ending.signal.aborted) return;
        await next.start();
        const over = delay(FIRST_BOOT_MS, undefined, { signal: this.ending.signal }).catch(() => undefined);
        await Promise.race([next.firstBoot, over]);
      }
    };
    await Promise.all(Array.from({ length: this.options.bootSlots }, bootInTurn));
  }

  /** No further machine is started; an `up` in progress comes to its end. */
  interrupt(): void {
    this.ending.abort();
  }

  /** Ends the machines that are ours. Harmless after an `up` that failed half-way. */
  async stop(): Promise<void> {
    await Promise.all(this.machines.map(async (machine) => machine.stop()));
    if (await this.forget()) this.options.say({ event: 'lab', state: 'stopped', text: 'all machines are off' });
  }

  /** Leaves the machines running; the next `up` adopts them. */
  async release(): Promise<void> {
    for (const machine of this.machines) machine.release();
    if (await this.forget()) this.options.say({ event: 'lab', state: 'stopped', text: 'the machines run on' });
  }

  /** @returns whether the lab was ours; after an `up` that was refused it is another process's */
  private async forget(): Promise<boolean> {
    const file = supervisorFile(this.options.stateDir);
    if ((await rememberedProcess(file)) !== process.pid) return false;
    await forgetProcess(file);
    return true;
  }
}
