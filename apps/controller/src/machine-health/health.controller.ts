import { Controller } from '@nestjs/common';
import type { MachineHealth } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { Caller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { HealthService } from './health.service.js';
import { HealthView } from './health.view.js';

@Controller()
export class MachineHealthController {
  readonly #health: HealthService;
  readonly #view: HealthView;

  constructor(health: HealthService, view: HealthView) {
    this.#health = health;
    this.#view = view;
  }

  @Serve('getMachineHealth')
  getMachineHealth(@Input() { params }: InputOf<'getMachineHealth'>): Promise<MachineHealth> {
    return this.#view.of(params.machine);
  }

  @Serve('checkMachine')
  async checkMachine(
    @Input() { params: { machine }, body }: InputOf<'checkMachine'>,
    @Caller() { name }: Identity,
  ): Promise<MachineHealth> {
    // An unknown machine is told as such.
    await this.#view.of(machine);
    await this.#health.ask(machine, { ...body, by: name });
    log.info({ by: name, machine, ...body }, 'health-check-asked');
    return this.#view.of(machine);
  }
}
