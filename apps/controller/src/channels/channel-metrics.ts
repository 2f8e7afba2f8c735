import { Injectable } from '@nestjs/common';
import type { AgentDisk } from '@peerlab/contracts';
import { Metrics } from '../platform/metrics/metrics.js';
import { AgentGateway } from './agent.gateway.js';
import { LiveGateway } from './live.gateway.js';

/** Sockets of this controller, and the disks of the agents that are connected to it. */
@Injectable()
export class ChannelMetrics {
  constructor(metrics: Metrics, agents: AgentGateway, live: LiveGateway) {
    metrics.gauge('sockets', 'Open WebSocket connections.', ['channel'], () => [
      { labels: { channel: 'agents' }, value: agents.size },
      { labels: { channel: 'browsers' }, value: live.size },
    ]);
    const disk = (name: string, help: string, field: keyof AgentDisk): void =>
      metrics.gauge(name, help, ['agent'], () =>
        agents
          .disks()
          .flatMap(({ agent, disk: { [field]: value } }) =>
            value === undefined ? [] : [{ labels: { agent }, value }],
          ),
      );
    disk('agent_spool_bytes', 'Evidence that an agent has recorded and not delivered.', 'spoolBytes');
    disk('agent_spool_lag_seconds', 'Age of the oldest evidence that an agent has not delivered.', 'spoolLagSeconds');
    disk('agent_disk_free_bytes', 'Free space where an agent records evidence.', 'diskFreeBytes');
  }
}
