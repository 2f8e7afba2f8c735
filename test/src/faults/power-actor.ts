/**
 * Who turned a machine off. QMP does not say, so the agent's preload says it at the beginning of each connection,
 * with a command that only the lab of this suite understands.
 */
export const ACTOR_COMMAND = 'peerlab-actor';

/** QMP socket in the folder of a machine. */
export const POWER_SOCKET = 'qmp.sock';

/** What the lab reads from such a connection. */
export interface PowerOrder {
  execute: string;
  id?: string;
  /** Of ACTOR_COMMAND: the attempt's fence and its stage. */
  arguments?: { fence: number; stage: string | null };
}
