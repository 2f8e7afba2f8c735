import { Module, type BeforeApplicationShutdown } from '@nestjs/common';
import { log } from '@peerlab/runtime';
import { FleetModule } from '../fleet/fleet.module.js';
import { LogsModule } from '../logs/logs.module.js';
import { MeetingsModule } from '../meetings/meetings.module.js';
import { ReservationsModule } from '../reservations/reservations.module.js';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { endsWithin } from '../platform/deadline.js';
import { AgentGateway } from './agent.gateway.js';
import { ChangeFeed } from './change-feed.js';
import { ChannelMetrics } from './channel-metrics.js';
import { LiveGateway } from './live.gateway.js';
import { Housekeeping } from './housekeeping.js';
import { TerminalGateway } from './terminal.gateway.js';

/**
 * How long storing received frames may take when the controller ends, in milliseconds. What is not stored then was not
 * acknowledged, and the agents send it again.
 */
const STORE_MS = 5000;

/** How long telling the agents of open terminals may take, in milliseconds. */
const TERMINALS_MS = 2000;

/** Owns no table: it reads. */
@Module({
  imports: [FleetModule, ReservationsModule, MeetingsModule, LogsModule, DispatchModule],
  providers: [AgentGateway, ChangeFeed, LiveGateway, TerminalGateway, Housekeeping, ChannelMetrics],
  exports: [AgentGateway, LiveGateway, TerminalGateway, ChangeFeed],
})
export class ChannelsModule implements BeforeApplicationShutdown {
  readonly #agents: AgentGateway;
  readonly #live: LiveGateway;
  readonly #terminals: TerminalGateway;

  constructor(agents: AgentGateway, live: LiveGateway, terminals: TerminalGateway) {
    this.#agents = agents;
    this.#live = live;
    this.#terminals = terminals;
  }

  /** Stores what agents sent, then closes all sockets. */
  async beforeApplicationShutdown(): Promise<void> {
    if (!(await endsWithin(STORE_MS, this.#agents.close()))) log.warn({ afterMs: STORE_MS }, 'frames-not-stored');
    this.#live.close();
    if (!(await endsWithin(TERMINALS_MS, this.#terminals.close())))
      log.warn({ afterMs: TERMINALS_MS }, 'terminals-not-closed');
  }
}
