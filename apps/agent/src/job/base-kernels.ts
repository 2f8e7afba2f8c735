import { join } from 'node:path';
import { BuildFailed } from './build-failed.js';
import { type BuildScriptEnd, type BuildScriptHandlers, runBuildScript } from './build-script.js';
import { ScriptFailed } from './script-failed.js';
import { runTool } from './system-tool.js';

/** rebase.sh: a patch has a conflict that nobody has resolved. */
const EXIT_CONFLICT = 1;
/** Its last line then: the patch, and what is wrong with it. */
const CONFLICT = /^\| ([^|]{1,300}) \| ([^|]{1,1000}) \|$/;

/**
 * Gets the bases of kernel/base.json, and the bundled series for them. All of it runs outside of the sandbox: it needs the
 * network, and nothing submitted.
 */
export class BaseKernels {
  readonly #kernelDir: string;
  readonly #cache: string;
  readonly #handlers: BuildScriptHandlers;
  readonly #signal: AbortSignal;

  /**
   * @param kernelDir a kernel/ folder
   * @param cache `--cache` of its scripts
   */
  constructor(kernelDir: string, cache: string, handlers: BuildScriptHandlers, signal: AbortSignal) {
    this.#kernelDir = kernelDir;
    this.#cache = cache;
    this.#handlers = handlers;
    this.#signal = signal;
  }

  /**
   * Fetches a base where it is missing.
   * @param name one of the others of base.json; null = the farm's base
   * @returns its folder
   * @throws ScriptFailed
   */
  async fetch(name: string | null): Promise<string> {
    const end = await this.#run('fetch-base.sh', name === null ? [] : ['--base', name]);
    const base = end.outputLines.at(-1) ?? '';
    if (end.error !== null || end.code !== 0) throw new ScriptFailed('fetch-base.sh', end);
    return base;
  }

  /**
   * Carries the bundled series over to another base: git merges what lies in kernel/ with sources of the distribution.
   * @param name one of the others of base.json
   * @param out a folder that is not there yet; it gets a folder for each posting
   * @throws BuildFailed `apply` for a patch with a conflict that nobody has resolved, else ScriptFailed
   */
  async rebase(name: string, out: string): Promise<void> {
    const end = await this.#run('rebase.sh', ['--to', name, '--out', out]);
    const conflict = CONFLICT.exec(end.outputLines.at(-1) ?? '');
    if (end.code === EXIT_CONFLICT && conflict !== null) {
      const [, patch = '', why = ''] = conflict;
      const detail = `${why.replaceAll('**', '')}, on base ${name}; resolve it in kernel/rebased/${name}`;
      throw new BuildFailed({ class: 'apply', patch, detail });
    }
    if (end.error !== null || end.code !== 0) throw new ScriptFailed('rebase.sh', end);
    // A umask of 0077 would keep the build's account out.
    await runTool('chmod', ['-R', 'u=rwX,go=rX', '--', out]);
  }

  #run(script: string, args: readonly string[]): Promise<BuildScriptEnd> {
    const command = [join(this.#kernelDir, 'scripts', script), '--cache', this.#cache, ...args];
    return runBuildScript({ command }, this.#handlers, this.#signal);
  }
}
