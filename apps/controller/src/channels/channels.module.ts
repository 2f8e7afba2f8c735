import { Module } from '@nestjs/common';
import { FleetModule } from '../fleet/fleet.module.js';
import { LogsModule } from '../logs/logs.module.js';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { AgentGateway } from './agent.gateway.js';
import { ChangeFeed } from './change-feed.js';
import { LiveGateway } from './live.gateway.js';
import { Housekeeping } from './housekeeping.js';

/** Owns no table: it reads. */
@Module({
  imports: [FleetModule, LogsModule, DispatchModule],
  providers: [AgentGateway, ChangeFeed, LiveGateway, Housekeeping],
  exports: [AgentGateway, LiveGateway, ChangeFeed],
})
export class ChannelsModule {}
