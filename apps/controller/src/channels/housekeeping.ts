import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { LIVE_BEAT_SECONDS } from '@peerlab/contracts';
import { errorFields, writeLog } from '../platform/logging.js';
import { AgentGateway } from './agent.gateway.js';
import { ChangeFeed } from './change-feed.js';
import { LiveGateway } from './live.gateway.js';

/** Between two times that old changes are forgotten, in milliseconds. */
const FORGET_MS = 300_000;

/** Ends half-open connections of both channels, and those whose token was revoked; forgets old changes. */
@Injectable()
export class Housekeeping {
  readonly #agents: AgentGateway;
  readonly #live: LiveGateway;
  readonly #changes: ChangeFeed;

  constructor(agents: AgentGateway, live: LiveGateway, changes: ChangeFeed) {
    this.#agents = agents;
    this.#live = live;
    this.#changes = changes;
  }

  @Interval(5000)
  agents(): void {
    this.#agents.dropSilent();
    Promise.all([this.#agents.dropRevoked(), this.#live.dropRevoked()]).catch((error: unknown) => {
      writeLog('warn', 'tokens of open connections could not be checked', errorFields(error));
    });
  }

  @Interval(LIVE_BEAT_SECONDS * 1000)
  browsers(): void {
    this.#live.dropSilent();
    this.#live.beat();
  }

  @Interval(FORGET_MS)
  changes(): void {
    this.#changes.forget().catch((error: unknown) => {
      writeLog('warn', 'old changes could not be forgotten', errorFields(error));
    });
  }
}
