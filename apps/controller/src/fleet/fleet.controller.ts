import { Controller } from '@nestjs/common';
import type { Fleet, InventoryHistory, MachineAttempt, MachineView } from '@peerlab/contracts';
import { Caller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { FleetService } from './fleet.service.js';
import { FleetView } from './fleet.view.js';
import { MachineStory } from './machine-story.js';

@Controller()
export class FleetController {
  readonly #fleet: FleetService;
  readonly #view: FleetView;
  readonly #story: MachineStory;

  constructor(fleet: FleetService, view: FleetView, story: MachineStory) {
    this.#fleet = fleet;
    this.#view = view;
    this.#story = story;
  }

  @Serve('getFleet')
  getFleet(): Promise<Fleet> {
    return this.#view.fleet();
  }

  @Serve('getMachine')
  getMachine(@Input() { params }: InputOf<'getMachine'>): Promise<MachineView> {
    return this.#view.machine(params.machine);
  }

  @Serve('listMachineAttempts')
  listMachineAttempts(@Input() { params }: InputOf<'listMachineAttempts'>): Promise<MachineAttempt[]> {
    return this.#story.attempts(params.machine);
  }

  @Serve('getInventoryHistory')
  getInventoryHistory(@Input() { params }: InputOf<'getInventoryHistory'>): Promise<InventoryHistory> {
    return this.#story.inventories(params.machine);
  }

  @Serve('setMachine')
  async setMachine(
    @Input() { params, body }: InputOf<'setMachine'>,
    @Caller() { name }: Identity,
  ): Promise<MachineView> {
    await this.#fleet.setDesired(params.machine, body.desired, name, body.reason ?? null);
    return this.#view.machine(params.machine);
  }
}
