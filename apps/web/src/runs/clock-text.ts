import type { ClockOffset } from '@peerlab/contracts';

/** How far an agent's clock is from the farm's, for people; the sign is that of the agent. */
export function clockText({ offsetMs, errorMs }: ClockOffset): string {
  const aheadMs = -offsetMs;
  if (Math.abs(aheadMs) <= errorMs) return `clock right within ${span(errorMs)}`;
  return `clock ${span(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead' : 'behind'}, ± ${span(errorMs)}`;
}

/** Milliseconds below ten seconds, seconds from there on. */
function span(ms: number): string {
  return ms < 10_000 ? `${Math.ceil(ms)} ms` : `${Math.round(ms / 1000)} s`;
}
