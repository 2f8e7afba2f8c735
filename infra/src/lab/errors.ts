/** A failure of the lab itself, never of a kernel under test. `remedy` tells what to do. */
export class LabError extends Error {
  constructor(
    message: string,
    readonly remedy: string,
  ) {
    super(message);
    this.name = 'LabError';
  }
}
