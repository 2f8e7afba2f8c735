import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BundleManifest, DRIVER_MAX_BYTES, type DriverBuild, UNBUILT_ERROR_MAX } from '@peerlab/contracts';
import { ArchiveError, readPlainFolder } from '../archive/index.js';
import { driverKey } from '../catalogue/recipe.js';
import { messageOf } from '../error-message.js';
import type { Artifacts } from './artifacts.js';
import { trimBuiltBundles } from './builder-cache.js';
import { sha256OfFile } from './bundle-cache.js';
import type { DriverBuilder } from './driver-builder.js';
import type { DriverRecipe } from './driver-recipe.js';
import { JobFailure } from './failure.js';
import { DEVEL_FILE, walkDriver } from './modules-archive.js';
import { ScriptFailed } from './script-failed.js';
import { takeOver } from './take-over.js';

/** What is left of a driver that was built, and of one that does not build. */
const ARCHIVE = 'driver.tar';
const ERROR = 'error.txt';
/** Drivers that a builder keeps, of all kernels together. */
const KEPT_DRIVERS = 128;

export interface DriverBuildsSettings {
  cacheDir: string;
  artifacts: Artifacts;
}

/** One kernel that drivers are built against. */
export interface DriverTarget {
  manifest: BundleManifest;
  /** Gets the folder of its bundle; asked where a driver has to be built. */
  bundle: () => Promise<string>;
}

/**
 * Builds the lab's out-of-tree drivers against one kernel, each by itself and with a key of its own: one that was built, or did
 * not build, with the same key is not built again. A kernel is as good without them, so none fails its build.
 */
export class DriverBuilds {
  readonly #settings: DriverBuildsSettings;
  readonly #builder: DriverBuilder;
  readonly #say: (text: string) => void;
  readonly #signal: AbortSignal;

  constructor(
    settings: DriverBuildsSettings,
    builder: DriverBuilder,
    say: (text: string) => void,
    signal: AbortSignal,
  ) {
    this.#settings = settings;
    this.#builder = builder;
    this.#say = say;
    this.#signal = signal;
  }

  /** @returns what became of each; archives are stored with the controller */
  async build(target: DriverTarget): Promise<DriverBuild[]> {
    const recipes = await this.#builder.recipes();
    const builds: DriverBuild[] = [];
    for (const recipe of recipes) {
      const made = await this.#one(recipe, target);
      this.#say(
        made.error === null
          ? `the driver ${made.name} ${made.version} is built, key ${made.key?.slice(0, 12)}…`
          : `the driver ${made.name} ${made.version} does not build: ${made.error}`,
      );
      builds.push(made);
    }
    if (recipes.length > 0) await trimBuiltBundles(this.#folder, KEPT_DRIVERS);
    return builds;
  }

  get #folder(): string {
    return join(this.#settings.cacheDir, 'drivers');
  }

  async #one(recipe: DriverRecipe, target: DriverTarget): Promise<DriverBuild> {
    const { name, version, modules } = recipe;
    const unbuilt = (error: string, key: string | null): DriverBuild => {
      return {
        name,
        version,
        modules,
        key,
        archive: null,
        error: error.slice(0, UNBUILT_ERROR_MAX) || 'no reason was said',
      };
    };
    const devel = target.manifest.files[DEVEL_FILE];
    if (recipe.error !== undefined) return unbuilt(recipe.error, null);
    if (devel === undefined)
      return unbuilt(
        'the bundle has no devel part: its tree has no scripts/package/install-extmod-build, which older ones lack',
        null,
      );
    const key = driverKey(this.#builder.kernelFolder, name, devel.sha256);
    const kept = join(this.#folder, key);
    try {
      if (!existsSync(kept)) await this.#make(recipe, target, kept);
    } catch (error) {
      this.#signal.throwIfAborted();
      // The builder's trouble, which is no word on the driver: it is tried again with the next build.
      return unbuilt(`it could not be built this time: ${messageOf(error)}`, key);
    }
    const now = new Date();
    await utimes(kept, now, now);
    const archive = join(kept, ARCHIVE);
    if (!existsSync(archive)) return unbuilt(await readFile(join(kept, ERROR), 'utf8'), key);
    const [sha256, { size: sizeBytes }] = [await sha256OfFile(archive), await stat(archive)];
    await this.#settings.artifacts.upload(sha256, archive, sizeBytes, this.#signal);
    return { name, version, modules, key, archive: { sha256, sizeBytes }, error: null };
  }

  /** Leaves `kept` with the archive or the reason. @throws Error where neither is known */
  async #make(recipe: DriverRecipe, { manifest, bundle }: DriverTarget, kept: string): Promise<void> {
    this.#say(`building the driver ${recipe.name} ${recipe.version}`);
    const built = await this.#built(recipe, await bundle(), manifest);
    await mkdir(this.#folder, { recursive: true });
    if ('folder' in built) {
      await takeOver(built.folder);
      return put(built.folder, kept);
    }
    const folder = await mkdtemp(join(this.#folder, 'part-'));
    await writeFile(join(folder, ERROR), built.why);
    await put(folder, kept);
  }

  /** The folder of a checked archive, or why there is none. */
  async #built(
    recipe: DriverRecipe,
    bundle: string,
    manifest: BundleManifest,
  ): Promise<{ folder: string } | { why: string }> {
    try {
      const folder = await this.#builder.build(recipe.name, bundle);
      const problem = await problemOf(folder, recipe, manifest);
      return problem === null ? { folder } : { why: problem };
    } catch (error) {
      if (error instanceof ScriptFailed && error.end.error?.class === 'compile') return { why: error.end.error.detail };
      throw error instanceof ScriptFailed ? troubleOf(error) : error;
    }
  }
}

/** Nothing that is said of an archive by the build itself is believed: a kernel's makefiles ran in it. */
async function problemOf(folder: string, recipe: DriverRecipe, { release }: BundleManifest): Promise<string | null> {
  try {
    const { files } = await readPlainFolder(folder, {
      limits: { entries: 1, fileBytes: DRIVER_MAX_BYTES, totalBytes: DRIVER_MAX_BYTES, nameBytes: 64, depth: 1 },
      refuse: (name) => (name === ARCHIVE ? null : `the build of a driver leaves ${ARCHIVE} alone`),
    });
    if (!files.has(ARCHIVE)) return `its build left no ${ARCHIVE}`;
    await walkDriver(join(folder, ARCHIVE), release, recipe);
    return null;
  } catch (error) {
    if (error instanceof ArchiveError) return `what its build left is not accepted: ${error.message}`;
    throw error;
  }
}

/** Another build of the same key may have been faster. */
async function put(folder: string, kept: string): Promise<void> {
  if (existsSync(kept)) await rm(folder, { recursive: true, force: true });
  else await rename(folder, kept);
}

/** A script that ended without a word on the driver. */
function troubleOf({ end: { code, error, lastStderrLine } }: ScriptFailed): JobFailure {
  const said = error?.detail ?? `build-driver.sh exited with ${code ?? 'a signal'}: ${lastStderrLine ?? 'no output'}`;
  return new JobFailure('infrastructure', said);
}
