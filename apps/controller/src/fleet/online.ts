import { AGENT_LOST_SECONDS } from '@peerlab/contracts';

/** SQL condition on an agent's row `a`: it gave a sign of life lately. */
export const AGENT_ONLINE = `(a.connected and a.last_seen_at > clock_timestamp() - make_interval(secs => ${AGENT_LOST_SECONDS}))`;
