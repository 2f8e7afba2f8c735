/** Does the jobs of each machine one after the other. */
export class MachineQueues {
  /** Resolve when all jobs of a machine so far have ended. */
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves or rejects as `job` does, which begins when those before it have ended. */
  run(machine: string, job: () => Promise<void>): Promise<void> {
    const through = (this.#last.get(machine) ?? Promise.resolve()).then(job);
    this.#last.set(
      machine,
      through.catch(() => undefined),
    );
    return through;
  }
}
