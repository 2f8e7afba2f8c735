import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { forgetProcess, rememberedProcess, rememberProcess } from '../start/process-file.js';
import { type Accelerator, chooseAccelerator } from './accelerator.js';
import { writeAgentMachines } from './agent-machines.js';
import type { MachineDefinition, ServerPorts } from './definition.js';
import type { DiskImage } from './disk.js';
import { LabError } from './errors.js';
import { imageNameOf } from './images.js';
import { ensureKeyPair, ensureSiteKey } from './keys.js';
import { type MachineState, VirtualMachine } from './machine.js';
import { labDirectory, makePrivateDirectory } from './paths.js';

/** What happens to the lab and its machines, as a log line: the name of the event, and its fields. */
export type LabEvent =
  | { event: 'accelerator-chosen'; accelerator: Accelerator; reason: string }
  | { event: 'lab-up'; agentMachines: string }
  | { event: 'lab-stopped'; machines: 'off' | 'running' }
  | { event: 'machine-state'; machine: string; state: MachineState; reason: string };

export interface LabOptions {
  stateDir: string;
  /** By name, as `imageScripts` gives them. */
  images: ReadonlyMap<string, DiskImage>;
  machines: readonly MachineDefinition[];
  /** Machines that boot at the same time. */
  bootSlots: number;
  /** SSH port of the first machine that is defined; each machine has its own offset, whichever are chosen. */
  portOf: (name: string) => number;
  serverPortsOf: (name: string) => ServerPorts | null;
  report: (event: LabEvent) => void;
}

/** How long a machine may take to answer for the first time before the next one is started anyway. */
const FIRST_BOOT_MS = 180_000;

export function supervisorFile(stateDir: string): string {
  return join(labDirectory(stateDir), 'supervisor.json');
}

/** The virtual machines of one state folder: prepares, starts and stops them. */
export class Lab {
  private readonly machines: VirtualMachine[];
  private readonly ending = new AbortController();

  constructor(private readonly options: LabOptions) {
    this.machines = options.machines.map(
      (definition) =>
        new VirtualMachine(
          definition,
          options.stateDir,
          options.portOf(definition.name),
          (state, reason) => options.report({ event: 'machine-state', machine: definition.name, state, reason }),
          options.serverPortsOf(definition.name),
        ),
    );
  }

  /** Prepares all machines, tells the agent about them, then starts them. */
  async up(): Promise<void> {
    const { stateDir, report } = this.options;
    await mkdir(stateDir, { recursive: true });
    await makePrivateDirectory(labDirectory(stateDir));
    const other = await rememberedProcess(supervisorFile(stateDir));
    if (other !== null)
      throw new LabError(`another lab is running on ${stateDir} (process ${other})`, 'stop it with: peerlab-lab down');
    await rememberProcess(supervisorFile(stateDir), process.pid);
    const choice = await chooseAccelerator(this.imageOf('').file, join(labDirectory(stateDir), 'accelerator.json'));
    report({ event: 'accelerator-chosen', accelerator: choice.accelerator, reason: choice.reason });
    const clientKey = await ensureKeyPair(join(labDirectory(stateDir), 'client_key'), 'peerlab agent');
    const isSecure = this.machines.some(({ definition }) => definition.server?.secureBoot === true);
    const site = isSecure ? await ensureSiteKey(labDirectory(stateDir)) : null;
    const prepared = [];
    for (const machine of this.machines) {
      const image = this.imageOf(imageNameOf(machine.definition));
      prepared.push(await machine.prepare(image, choice.accelerator, clientKey, site));
    }
    const file = await writeAgentMachines(stateDir, prepared, site);
    await this.bootAll();
    report({ event: 'lab-up', agentMachines: file });
  }

  private imageOf(name: string): DiskImage {
    const image = this.options.images.get(name);
    if (image === undefined) throw new Error(`no image "${name}" was built`);
    return image;
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

  /** Makes `up` return without starting further machines. */
  interrupt(): void {
    this.ending.abort();
  }

  /** Stops the machines that this lab started or adopted. May be called after an `up` that failed. */
  async stop(): Promise<void> {
    await Promise.all(this.machines.map(async (machine) => machine.stop()));
    if (await this.forget()) this.options.report({ event: 'lab-stopped', machines: 'off' });
  }

  /** Leaves the machines running; the next `up` adopts them. */
  async release(): Promise<void> {
    for (const machine of this.machines) machine.release();
    if (await this.forget()) this.options.report({ event: 'lab-stopped', machines: 'running' });
  }

  /** @returns whether this process was the supervisor; it is not when `up` found another lab running */
  private async forget(): Promise<boolean> {
    const file = supervisorFile(this.options.stateDir);
    if ((await rememberedProcess(file)) !== process.pid) return false;
    await forgetProcess(file);
    return true;
  }
}
