/** Trouble with the lab itself, never with a kernel under test; says what to do about it. */
export class LabError extends Error {
  constructor(
    message: string,
    readonly remedy: string,
  ) {
    super(message);
    this.name = 'LabError';
  }
}
