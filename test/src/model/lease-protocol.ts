import { AGENT_STEPS } from './agent-steps.js';
import { CONTROLLER_STEPS, reap } from './controller-steps.js';
import type { Invariant, Model, Step } from './explore.js';
import { ALL_RULES, type Farm, type Rules, attemptOf, isOpen, isWorking, startOf } from './farm.js';

/** What goes wrong from outside. Each costs one of the faults that a state has left. */
const FAULTS: { name: string; take(farm: Farm, rules: Rules): boolean }[] = [
  {
    name: 'FAULT somebody is held up and a lease runs out under a living agent',
    take: (farm, rules) => farm.link.state === 'up' && reap(farm, rules),
  },
  {
    name: 'FAULT the connection breaks, its frames are lost',
    take: (farm) => farm.link.state !== 'down' && cut(farm, false),
  },
  {
    name: 'FAULT the connection breaks, its frames arrive late',
    take: (farm) => farm.link.toController.length > 0 && farm.late.length === 0 && cut(farm, true),
  },
  {
    name: 'FAULT the agent is killed',
    take(farm) {
      if (!farm.agent.up) return false;
      farm.agent.up = false;
      cut(farm, false);
      return true;
    },
  },
  {
    name: 'FAULT the agent is killed and its disk is lost',
    take(farm) {
      if (!farm.agent.up || farm.agent.held.length === 0) return false;
      for (const { fence } of farm.agent.held) {
        const attempt = attemptOf(farm, fence);
        if (attempt !== undefined) attempt.spoolLost = true;
      }
      farm.agent = { up: false, held: [] };
      cut(farm, false);
      return true;
    },
  },
  {
    name: 'FAULT a frame arrives twice',
    take(farm) {
      const frame = farm.link.toController[0];
      if (frame === undefined || frame.type === 'hello' || farm.late.length > 0) return false;
      farm.late.push(structuredClone(frame));
      return true;
    },
  },
];

/** Nothing is said any more on this connection. The controller may fall with it: all it knows is in Postgres. */
function cut(farm: Farm, late: boolean): boolean {
  farm.late = late ? farm.link.toController.filter(({ type }) => type !== 'hello') : farm.late;
  farm.link = { state: 'down', toController: [], toAgent: [], believed: [], cancelTold: false };
  return true;
}

const PROMISES: Invariant<Farm>[] = [
  {
    promise: 'one attempt at a time works on a machine',
    broken(farm) {
      const working = farm.agent.held.filter(isWorking).map(({ fence }) => fence);
      return working.length > 1 ? `attempts ${working.join(' and ')} work on it` : null;
    },
  },
  {
    promise: 'one attempt at a time holds the lease of a machine, and only while it is open',
    broken(farm) {
      const leased = farm.attempts.filter((attempt) => attempt.leased);
      if (leased.length > 1) return 'two leases';
      return leased.some((attempt) => !isOpen(attempt)) ? 'a lease without an open attempt' : null;
    },
  },
  {
    promise: 'nothing is stored that did not happen, and nothing twice',
    broken(farm) {
      const wrong = farm.attempts.findIndex(
        ({ log, events, truth, doubled }) => doubled || log > truth.log || events > truth.events,
      );
      return wrong === -1 ? null : `attempt ${wrong + 1}`;
    },
  },
  {
    promise: 'an attempt that its agent ended is complete',
    broken(farm) {
      const wrong = farm.attempts.findIndex(
        ({ state, revoked, log, events, truth }) =>
          state === 'ended' && !revoked && (log < truth.log || events < truth.events),
      );
      return wrong === -1 ? null : `attempt ${wrong + 1}`;
    },
  },
  {
    promise: 'evidence is forgotten by the agent only when it is stored',
    broken(farm) {
      const wrong = farm.attempts.findIndex(
        ({ log, events, truth, spoolLost }, index) =>
          !spoolLost &&
          (log < truth.log || events < truth.events) &&
          !farm.agent.held.some(({ fence }) => fence === index + 1),
      );
      return wrong === -1 ? null : `attempt ${wrong + 1}`;
    },
  },
  {
    promise: 'a revoked attempt decides nothing',
    broken: (farm) =>
      farm.decidedBy > 0 && attemptOf(farm, farm.decidedBy)?.revoked === true ? `attempt ${farm.decidedBy}` : null,
  },
  {
    promise: 'a job that ended has no open attempt',
    broken: (farm) => (farm.job === 'ended' && farm.attempts.some(isOpen) ? 'one is open' : null),
  },
  {
    promise: 'a machine that was not restored is quarantined',
    broken: (farm) =>
      !farm.quarantined && farm.attempts.some(({ restored }) => restored === false) ? 'it is free' : null,
  },
];

/** The protocol with some of its rules. `faults` bounds how much goes wrong on one path. */
export function leaseProtocol(faults: number, rules: Partial<Rules> = {}): Model<Farm> {
  const all = { ...ALL_RULES, ...rules };
  return {
    initial: startOf(faults),
    invariants: PROMISES,
    settled: (farm) =>
      farm.job === 'ended' &&
      farm.agent.held.length === 0 &&
      farm.attempts.every(({ log, events, truth, spoolLost }) => spoolLost || (log === truth.log && events === truth.events)),
    *steps(farm): Generator<Step<Farm>> {
      const text = JSON.stringify(farm);
      // A step that does not apply leaves its copy as it was, so the next one may have it.
      let spare: Farm | null = null;
      const attempted = (name: string, fault: boolean, take: (copy: Farm) => boolean): Step<Farm>[] => {
        const next = spare ?? (JSON.parse(text) as Farm);
        spare = take(next) ? null : next;
        return spare === null ? [{ name, fault, next }] : [];
      };
      for (const { name, take } of CONTROLLER_STEPS) yield* attempted(name, false, (copy) => take(copy, all));
      for (const { name, fault, take } of AGENT_STEPS) yield* attempted(name, fault ?? false, (copy) => take(copy, all));
      // Nobody renews while the agent is away. Under an agent that talks, somebody has to be held up.
      yield* attempted('a lease runs out', false, (copy) => copy.link.state !== 'up' && reap(copy, all));
      yield* attempted('a person cancels the run', true, (copy) => {
        if (copy.cancelRequested || copy.job === 'ended' || copy.faults === 0) return false;
        copy.faults -= 1;
        copy.cancelRequested = true;
        return true;
      });
      if (farm.faults === 0) return;
      for (const { name, take } of FAULTS) {
        yield* attempted(name, true, (copy) => {
          if (!take(copy, all)) return false;
          copy.faults -= 1;
          return true;
        });
      }
    },
  };
}
