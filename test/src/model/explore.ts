/** A protocol as a finite state machine: plain JSON states, and what every process may do in each. */
export interface Model<S> {
  initial: S;
  /** Every step that some process, the network or a fault may take. Steps get a fresh state and may not share parts. */
  steps(state: S): Iterable<Step<S>>;
  /** What must hold in every reachable state. */
  invariants: readonly Invariant<S>[];
  /** States in which everything has come to its end. From everywhere one of them must be in reach without further faults. */
  settled(state: S): boolean;
}

export interface Step<S> {
  name: string;
  /** A fault may happen, but nobody may count on it: it leads out of no dead end. */
  fault: boolean;
  next: S;
}

export interface Invariant<S> {
  /** The promise in words, as the documentation states it. */
  promise: string;
  /** null = kept, else what is wrong. */
  broken(state: S): string | null;
}

export interface Violation {
  promise: string;
  problem: string;
  /** Names of the steps from the initial state; no shorter sequence breaks the promise. */
  trace: string[];
}

export interface Exploration {
  states: number;
  steps: number;
  violation: Violation | null;
}

/** The promise that the explorer checks by itself. */
export const NEVER_STUCK = 'from every state the work can come to its end without another fault';

/**
 * Visits every reachable state breadth first, so that the first violation found has a shortest trace.
 * @param maxStates guard against a model that grew without bounds; exceeding it throws
 */
export function explore<S>(model: Model<S>, maxStates: number): Exploration {
  const numbers = new Map<string, number>();
  const states: string[] = [];
  /** How a state was first reached. */
  const parents: number[] = [];
  const names: string[] = [];
  /** Who leads to a state without a fault: for the search backwards from the settled ones. */
  const sources: number[][] = [];
  let steps = 0;

  const traceOf = (state: number): string[] => {
    const trace: string[] = [];
    for (let at = state; at > 0; at = parents[at] ?? 0) trace.push(names[at] ?? '');
    return trace.reverse();
  };
  const visit = (state: S, from: number, name: string): { number: number; isNew: boolean } => {
    const text = JSON.stringify(state);
    const known = numbers.get(text);
    if (known !== undefined) return { number: known, isNew: false };
    const number = states.length;
    if (number >= maxStates) throw new Error(`more than ${maxStates} states; last trace: ${traceOf(from).join(', ')}`);
    numbers.set(text, number);
    states.push(text);
    parents.push(from);
    names.push(name);
    sources.push([]);
    return { number, isNew: true };
  };

  const queue: number[] = [visit(model.initial, 0, '').number];
  const settled: number[] = [];
  for (let head = 0; head < queue.length; head += 1) {
    const number = queue[head] ?? 0;
    const text = states[number] ?? '';
    const state = JSON.parse(text) as S;
    for (const { promise, broken } of model.invariants) {
      const problem = broken(state);
      if (problem !== null) {
        return { states: states.length, steps, violation: { promise, problem, trace: traceOf(number) } };
      }
    }
    if (model.settled(state)) settled.push(number);
    for (const step of model.steps(state)) {
      steps += 1;
      const target = visit(step.next, number, step.name);
      if (!step.fault) sources[target.number]?.push(number);
      if (target.isNew) queue.push(target.number);
    }
  }

  const reaching = new Uint8Array(states.length);
  const back = [...settled];
  for (const number of back) reaching[number] = 1;
  for (let number = back.pop(); number !== undefined; number = back.pop()) {
    for (const source of sources[number] ?? []) {
      if (reaching[source] === 1) continue;
      reaching[source] = 1;
      back.push(source);
    }
  }
  const stuck = reaching.indexOf(0);
  const violation =
    stuck === -1
      ? null
      : { promise: NEVER_STUCK, problem: `no way out of ${states[stuck] ?? ''}`, trace: traceOf(stuck) };
  return { states: states.length, steps, violation };
}
