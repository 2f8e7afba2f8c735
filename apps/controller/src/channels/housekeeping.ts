import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { errorFields, writeLog } from '../platform/logging.js';
import { AgentGateway } from './agent.gateway.js';
import { LiveGateway } from './live.gateway.js';

/** Ends half-open connections of both channels, and agents whose token was revoked. */
@Injectable()
export class Housekeeping {
  readonly #agents: AgentGateway;
  readonly #live: LiveGateway;

  constructor(agents: AgentGateway, live: LiveGateway) {
    this.#agents = agents;
    this.#live = live;
  }

  @Interval(5000)
  agents(): void {
    this.#agents.dropSilent();
    this.#agents.dropRevoked().catch((error: unknown) => {
      writeLog('warn', 'tokens of connected agents could not be checked', errorFields(error));
    });
  }

  @Interval(20_000)
  browsers(): void {
    this.#live.dropSilent();
  }
}
