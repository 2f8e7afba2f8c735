import type { ProblemItem } from '@peerlab/contracts';

/** An answer other than 200. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly errors: ProblemItem[] = [],
  ) {
    super(message);
  }
}
