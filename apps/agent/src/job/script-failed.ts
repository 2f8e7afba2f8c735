import type { BuildScriptEnd } from './build-script.js';

/** A script of kernel/scripts ended otherwise than well. */
export class ScriptFailed extends Error {
  constructor(
    readonly script: string,
    readonly end: BuildScriptEnd,
    /** Whether what the script said of its failure can be believed. */
    readonly trusted = true,
  ) {
    super(`${script} failed`);
    this.name = 'ScriptFailed';
  }
}
