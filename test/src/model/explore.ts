/** A protocol as a finite state machine: what every process may do in each state. */
export interface Model<S> {
  initial: S;
  /** Two states with the same text are the same state. */
  encode(state: S): string;
  decode(text: string): S;
  /** Every step that some process, the network or a fault may take. Steps get a state of their own. */
  steps(state: S): Iterable<Step<S>>;
  /** What must hold in every reachable state. */
  invariants: readonly Invariant<S>[];
  /** States in which all work is done. One of them must be reachable from every state without further faults. */
  settled(state: S): boolean;
}

export interface Step<S> {
  name: string;
  /** A fault may happen, but progress must not depend on it. */
  fault: boolean;
  /** Valid until the next step is asked for. */
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
export const NEVER_STUCK = 'from every state the work can be finished without another fault';

/** Numbers that grow without end, in little memory. */
class Numbers {
  #values = new Int32Array(1 << 16);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Int32Array(2 * this.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length] = value;
    this.length += 1;
  }

  at(index: number): number {
    return this.#values[index] ?? 0;
  }
}

/**
 * Visits every reachable state breadth first, so that the first violation found has a shortest trace.
 * @param maxStates guard against a model that grew without bounds; exceeding it throws
 */
export function explore<S>(model: Model<S>, maxStates: number): Exploration {
  const numbers = new Map<string, number>();
  const texts: string[] = [];
  /** How a state was first reached: from which one, by which of the names. */
  const parents = new Numbers();
  const how = new Numbers();
  const names: string[] = [];
  const nameNumbers = new Map<string, number>();
  /** Steps that are no faults: for the search backwards from the settled states. */
  const edgeFrom = new Numbers();
  const edgeTo = new Numbers();
  let steps = 0;

  const traceOf = (state: number): string[] => {
    const trace: string[] = [];
    for (let at = state; at > 0; at = parents.at(at)) trace.push(names[how.at(at)] ?? '');
    return trace.reverse();
  };
  const visit = (state: S, from: number, name: string): number => {
    const text = model.encode(state);
    const known = numbers.get(text);
    if (known !== undefined) return known;
    const number = texts.length;
    if (number >= maxStates) throw new Error(`more than ${maxStates} states; last trace: ${traceOf(from).join(', ')}`);
    numbers.set(text, number);
    texts.push(text);
    parents.push(from);
    let nameNumber = nameNumbers.get(name);
    if (nameNumber === undefined) {
      nameNumber = names.push(name) - 1;
      nameNumbers.set(name, nameNumber);
    }
    how.push(nameNumber);
    return number;
  };

  const settled: number[] = [];
  visit(model.initial, 0, '');
  // The list of states is the queue: new ones are appended while it is read.
  for (let number = 0; number < texts.length; number += 1) {
    const state = model.decode(texts[number] ?? '');
    for (const invariant of model.invariants) {
      const problem = invariant.broken(state);
      if (problem === null) continue;
      return {
        states: texts.length,
        steps,
        violation: { promise: invariant.promise, problem, trace: traceOf(number) },
      };
    }
    if (model.settled(state)) settled.push(number);
    for (const step of model.steps(state)) {
      steps += 1;
      const target = visit(step.next, number, step.name);
      if (step.fault) continue;
      edgeFrom.push(number);
      edgeTo.push(target);
    }
  }
  const stuck = firstThatReachesNone(texts.length, edgeFrom, edgeTo, settled);
  const violation =
    stuck === null ? null : { promise: NEVER_STUCK, problem: `no way out of ${texts[stuck]}`, trace: traceOf(stuck) };
  return { states: texts.length, steps, violation };
}

/** The first state from which no edge leads to one of the goals, or null. */
function firstThatReachesNone(states: number, from: Numbers, to: Numbers, goals: readonly number[]): number | null {
  // Edges sorted by where they lead, by counting.
  const starts = new Int32Array(states + 2);
  for (let edge = 0; edge < to.length; edge += 1) starts[to.at(edge) + 2] = (starts[to.at(edge) + 2] ?? 0) + 1;
  for (let state = 1; state < starts.length; state += 1)
    starts[state] = (starts[state] ?? 0) + (starts[state - 1] ?? 0);
  const sources = new Int32Array(to.length);
  for (let edge = 0; edge < to.length; edge += 1) {
    const place = starts[to.at(edge) + 1] ?? 0;
    sources[place] = from.at(edge);
    starts[to.at(edge) + 1] = place + 1;
  }
  const reaching = new Uint8Array(states);
  const back = [...goals];
  for (const goal of goals) reaching[goal] = 1;
  for (let state = back.pop(); state !== undefined; state = back.pop()) {
    for (let edge = starts[state] ?? 0; edge < (starts[state + 1] ?? 0); edge += 1) {
      const source = sources[edge] ?? 0;
      if (reaching[source] === 1) continue;
      reaching[source] = 1;
      back.push(source);
    }
  }
  const stuck = reaching.indexOf(0);
  return stuck === -1 ? null : stuck;
}
