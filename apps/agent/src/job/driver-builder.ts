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
const INSIDE = { kernel: '/farm/kernel', drivers: '/farm/drivers', bundle: '/bundle', out: '/out' };

export interface DriverBuilderSettings {
  /** The lab's folder kernel/ as it was when the attempt began. */
  kernelFolder: string;
  /** Copies of the drivers, see copy-drivers.ts, and what is wrong with those that have none. */
  driversFolder: string;
  wrong: ReadonlyMap<string, string>;
  /** Of the attempt. */
  folder: string;
  limits: BuildLimits;
}

/** Reads and builds the out-of-tree drivers of a lab, by the scripts of kernel/scripts. */
export class DriverBuilder {
  readonly kernelFolder: string;
  readonly driversFolder: string;
  readonly #wrong: ReadonlyMap<string, string>;
  readonly #folder: string;
  readonly #limits: BuildLimits;
  readonly #sandbox: ToolSandbox | null;
  readonly #handlers: BuildScriptHandlers;
  readonly #signal: AbortSignal;

  /** @param sandbox null where there is none; then only the farm's own kernels are built here */
  constructor(
    { kernelFolder, driversFolder, wrong, folder, limits }: DriverBuilderSettings,
    sandbox: ToolSandbox | null,
    handlers: BuildScriptHandlers,
    signal: AbortSignal,
  ) {
    this.kernelFolder = kernelFolder;
    this.driversFolder = driversFolder;
    this.#wrong = wrong;
    this.#folder = folder;
    this.#limits = limits;
    this.#sandbox = sandbox;
    this.#handlers = handlers;
    this.#signal = signal;
  }

  /** What the drivers say of themselves; nothing of them runs. @throws JobFailure `infrastructure` */
  async recipes(): Promise<DriverRecipe[]> {
    const script = join(this.kernelFolder, 'scripts/driver-recipes.pl');
    const limits = { timeoutMs: READ_RECIPES_MS, signal: this.#signal };
    const { code, stdout, stderr } = await runProgram(script, [this.driversFolder], limits);
    if (code !== 0) throw new JobFailure('infrastructure', `kernel/drivers cannot be read: ${stderr.trim()}`);
    for (const line of stderr.split('\n')) if (line !== '') this.#handlers.onLine(line, false);
    return parseRecipes(stdout, this.#wrong);
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
      const places = { kernel: this.kernelFolder, drivers: this.driversFolder, bundle, out };
      const command = ['nice', '-n', '10', ...commandOf(name, places)];
      const stop = AbortSignal.any([this.#signal, AbortSignal.timeout(BUILD_MS)]);
      const end = await runBuildScript({ command }, this.#handlers, stop);
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
        { from: join(this.driversFolder, name), to: join(INSIDE.drivers, name) },
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

const commandOf = (name: string, { kernel, drivers, bundle, out }: typeof INSIDE): string[] => [
  `${kernel}/scripts/${SCRIPT}`,
  '--bundle',
  bundle,
  '--driver',
  `${drivers}/${name}`,
  '--out',
  out,
];
