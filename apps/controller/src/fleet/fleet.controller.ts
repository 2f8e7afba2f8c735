import { Controller } from '@nestjs/common';
import type {
  AnswerOf,
  FarmCatalogue,
  Fleet,
  InventoryHistory,
  MachineAttempt,
  MachineChange,
  MachineUse,
  MachineView,
} from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { Caller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { FleetService } from './fleet.service.js';
import { FleetView } from './fleet.view.js';
import { MachineHistory } from './machine-history.js';
import { MachineUseView } from './machine-use.view.js';
import { SiteService } from './site.service.js';

@Controller()
export class FleetController {
  readonly #fleet: FleetService;
  readonly #sites: SiteService;
  readonly #view: FleetView;
  readonly #history: MachineHistory;
  readonly #use: MachineUseView;

  constructor(fleet: FleetService, sites: SiteService, view: FleetView, history: MachineHistory, use: MachineUseView) {
    this.#fleet = fleet;
    this.#sites = sites;
    this.#view = view;
    this.#history = history;
    this.#use = use;
  }

  @Serve('getFleet')
  getFleet(): Promise<Fleet> {
    return this.#view.fleet();
  }

  @Serve('getCatalogue')
  getCatalogue(): Promise<FarmCatalogue> {
    return this.#view.offered();
  }

  @Serve('getMachine')
  getMachine(@Input() { params }: InputOf<'getMachine'>): Promise<MachineView> {
    return this.#view.machine(params.machine);
  }

  @Serve('listMachineAttempts')
  listMachineAttempts(@Input() { params }: InputOf<'listMachineAttempts'>): Promise<MachineAttempt[]> {
    return this.#history.attempts(params.machine);
  }

  @Serve('getInventoryHistory')
  getInventoryHistory(@Input() { params }: InputOf<'getInventoryHistory'>): Promise<InventoryHistory> {
    return this.#history.inventories(params.machine);
  }

  @Serve('listMachineUse')
  listMachineUse(): Promise<MachineUse[]> {
    return this.#use.all();
  }

  @Serve('listMachineChanges')
  listMachineChanges(@Input() { params }: InputOf<'listMachineChanges'>): Promise<MachineChange[]> {
    return this.#history.changes(params.machine);
  }

  @Serve('setMachine')
  async setMachine(
    @Input() { params, body }: InputOf<'setMachine'>,
    @Caller() { name }: Identity,
  ): Promise<MachineView> {
    await this.#fleet.setDesired(params.machine, body.desired, name, body.reason);
    log.info({ by: name, machine: params.machine, ...body }, 'machine-state-changed');
    return this.#view.machine(params.machine);
  }

  @Serve('moveMachine')
  async moveMachine(
    @Input() { params, body }: InputOf<'moveMachine'>,
    @Caller() { name }: Identity,
  ): Promise<MachineView> {
    await this.#sites.moveMachine(params.machine, body.agent);
    log.info({ by: name, machine: params.machine, agent: body.agent }, 'machine-moved');
    return this.#view.machine(params.machine);
  }

  @Serve('forgetMachine')
  async forgetMachine(
    @Input() { params }: InputOf<'forgetMachine'>,
    @Caller() { name }: Identity,
  ): Promise<AnswerOf<'forgetMachine'>> {
    const removed = await this.#sites.forgetMachine(params.machine);
    log.info({ by: name, machine: params.machine, removed }, 'machine-forgotten');
    return { removed };
  }

  @Serve('moveAgent')
  async moveAgent(
    @Input() { params, body }: InputOf<'moveAgent'>,
    @Caller() { name }: Identity,
  ): Promise<AnswerOf<'moveAgent'>> {
    const machines = await this.#sites.moveAgent(params.agent, body.site);
    log.info({ by: name, agent: params.agent, site: body.site, machines }, 'agent-moved');
    return { agent: params.agent, site: body.site, machines };
  }
}
