import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { LIVE_BEAT_SECONDS, TERMINAL_BEAT_SECONDS } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { AgentGateway } from './agent.gateway.js';
import { ChangeFeed } from './change-feed.js';
import { LiveGateway } from './live.gateway.js';
import { TerminalGateway } from './terminal.gateway.js';

/** Interval at which old changes are deleted, in milliseconds. */
const FORGET_MS = 300_000;

/** Closes half-open connections of both channels and those whose token was revoked; deletes old changes. */
@Injectable()
export class Housekeeping {
  readonly #agents: AgentGateway;
  readonly #live: LiveGateway;
  readonly #changes: ChangeFeed;
  readonly #terminals: TerminalGateway;

  constructor(agents: AgentGateway, live: LiveGateway, changes: ChangeFeed, terminals: TerminalGateway) {
    this.#agents = agents;
    this.#live = live;
    this.#changes = changes;
    this.#terminals = terminals;
  }

  @Interval(5000)
  agents(): void {
    this.#agents.dropSilent();
    Promise.all([this.#agents.dropRevoked(), this.#live.dropRevoked()]).catch((err: unknown) => {
      log.warn({ err }, 'connection-tokens-not-checked');
    });
  }

  @Interval(TERMINAL_BEAT_SECONDS * 1000)
  terminals(): void {
    this.#terminals.beat().catch((err: unknown) => log.warn({ err }, 'terminals-not-looked-at'));
  }

  @Interval(LIVE_BEAT_SECONDS * 1000)
  browsers(): void {
    this.#live.dropSilent();
    this.#live.beat();
  }

  @Interval(FORGET_MS)
  changes(): void {
    this.#changes.forget().catch((err: unknown) => {
      log.warn({ err }, 'old-changes-not-deleted');
    });
  }
}
