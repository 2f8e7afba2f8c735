import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@peerlab/runtime';
import type { BuildLimits } from './build-limits.js';
import { sandboxLimits } from './build-limits.js';
import { type BuildScriptHandlers, runBuildScript } from './build-script.js';
import { type DriverRecipe, parseRecipes } from './driver-recipe.js';
import { JobFailure } from './failure.js';
import { ScriptFailed } from './script-failed.js';
import type { ToolSandbox } from './tool-sandbox.js';

/** A driver of a GPU takes minutes. */
const BUILD_MS = 60 * 60_000;
/** A few files of JSON. */
const READ_RECIPES_MS = 60_000;

const SCRIPT = 'build-driver.sh';
/** Where the sandbox shows things. */
const INSIDE = { kernel: '/farm/kernel', bundle: '/bundle', out: '/out' };

export interface DriverBuilderSettings {
  /** The lab's folder kernel/ as it was when the attempt began. */
  kernelFolder: string;
  /** Of the attempt. */
  folder: string;
  limits: BuildLimits;
}

/** Reads and builds the out-of-tree drivers in kernel/drivers, by the scripts of kernel/scripts. */
export class DriverBuilder {
  readonly kernelFolder: string;
  readonly #folder: string;
  readonly #limits: BuildLimits;
  readonly #sandbox: ToolSandbox | null;
  readonly #handlers: BuildScriptHandlers;
  readonly #signal: AbortSignal;

  /** @param sandbox null where there is none; then only the farm's own kernels are built here */
  constructor(
    { kernelFolder, folder, limits }: DriverBuilderSettings,
    sandbox: ToolSandbox | null,
    handlers: BuildScriptHandlers,
    signal: AbortSignal,
  ) {
    this.kernelFolder = kernelFolder;
    this.#folder = folder;
    this.#limits = limits;
    this.#sandbox = sandbox;
    this.#handlers = handlers;
    this.#signal = signal;
  }

  /** What the drivers say of themselves; nothing of them runs. @throws JobFailure `infrastructure` */
  async recipes(): Promise<DriverRecipe[]> {
    const folder = join(this.kernelFolder, 'drivers');
    if (!existsSync(folder)) return [];
    const script = join(this.kernelFolder, 'scripts/driver-recipes.pl');
    const limits = { timeoutMs: READ_RECIPES_MS, signal: this.#signal };
    const { code, stdout, stderr } = await runProgram(script, [folder], limits);
    if (code !== 0) throw new JobFailure('infrastructure', `kernel/drivers cannot be read: ${stderr.trim()}`);
    for (const line of stderr.split('\n')) if (line !== '') this.#handlers.onLine(line, false);
    return parseRecipes(stdout);
  }

  /**
   * Builds a driver against a kernel, whose makefiles run for it, without any cache.
   * @param bundle folder of the unpacked bundle
   * @returns the folder with what the build says is driver.tar
   * @throws ScriptFailed
   */
  async build(name: string, bundle: string): Promise<string> {
    const out = await mkdtemp(join(this.#folder, 'driver-'));
    const sandbox = this.#sandbox;
    if (sandbox === null) {
      const command = ['nice', '-n', '10', ...commandOf(name, { kernel: this.kernelFolder, bundle, out })];
      const end = await runBuildScript({ command }, this.#handlers, this.#signal);
      if (end.code !== 0) throw new ScriptFailed(SCRIPT, end);
      return out;
    }
    await sandbox.ownFolder(out);
    const end = await sandbox.run({
      script: 'exec "$@"',
      arguments: commandOf(name, INSIDE),
      environment: {},
      readOnly: [
        { from: this.kernelFolder, to: INSIDE.kernel },
        { from: bundle, to: INSIDE.bundle },
      ],
      writable: [{ from: out, to: INSIDE.out }],
      network: false,
      limits: sandboxLimits(this.#limits),
      timeoutMs: BUILD_MS,
      what: `building the driver ${name}`,
    });
    if (end.code !== 0) throw new ScriptFailed(SCRIPT, end);
    return out;
  }
}

const commandOf = (name: string, { kernel, bundle, out }: typeof INSIDE): string[] => [
  `${kernel}/scripts/${SCRIPT}`,
  '--bundle',
  bundle,
  '--driver',
  `${kernel}/drivers/${name}`,
  '--out',
  out,
];
