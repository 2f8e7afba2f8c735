import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BundleManifest, DRIVER_MAX_BYTES, type DriverBuild, UNBUILT_ERROR_MAX } from '@peerlab/contracts';
import { orIfAbsent } from '@peerlab/runtime';
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
/** What a driver does not build for may have been a program that the builder lacked: it is tried again after a day. */
const ERROR_KEPT_MS = 24 * 60 * 60_000;
/** Of folders that are being written, and how old they get at most. */
const PART = 'part-';
const LEFT_MS = 24 * 60 * 60_000;

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
    let recipes: DriverRecipe[];
    try {
      recipes = await this.#builder.recipes();
      if (recipes.length === 0) return [];
      await this.#tidy();
    } catch (error) {
      this.#signal.throwIfAborted();
      this.#say(`none is built: ${messageOf(error)}`);
      return [];
    }
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
    return builds;
  }

  get #folder(): string {
    return join(this.#settings.cacheDir, 'drivers');
  }

  /** Makes room, and removes what an agent left that died. */
  async #tidy(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await trimBuiltBundles(this.#folder, KEPT_DRIVERS);
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (name.startsWith(PART) && (await ageOf(path)) > LEFT_MS) await rm(path, { recursive: true, force: true });
    }
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
    let key: string | null = null;
    try {
      const { kernelFolder, driversFolder } = this.#builder;
      key = driverKey(kernelFolder, join(driversFolder, name), {
        key: target.manifest.key,
        develSha256: devel.sha256,
      });
      const kept = join(this.#folder, key);
      if ((await ageOf(join(kept, ERROR))) > ERROR_KEPT_MS) await rm(kept, { recursive: true, force: true });
      if (!existsSync(kept)) await this.#make(recipe, target, kept);
      const now = new Date();
      await utimes(kept, now, now);
      const archive = join(kept, ARCHIVE);
      if (!existsSync(archive)) return unbuilt(await readFile(join(kept, ERROR), 'utf8'), key);
      const [sha256, { size: sizeBytes }] = [await sha256OfFile(archive), await stat(archive)];
      await this.#settings.artifacts.upload(sha256, archive, sizeBytes, this.#signal);
      return { name, version, modules, key, archive: { sha256, sizeBytes }, error: null };
    } catch (error) {
      this.#signal.throwIfAborted();
      // What a kernel's makefiles did to it is not kept, and the builder's trouble is no word on the driver: the next build tries again.
      if (error instanceof ArchiveError) return unbuilt(`what its build left is not accepted: ${error.message}`, key);
      return unbuilt(`it could not be built this time: ${messageOf(error)}`, key);
    }
  }

  /**
   * Leaves `kept` with the archive, or with the reason why it does not build.
   * @throws ArchiveError for an archive that is not accepted; another Error where nothing is known
   */
  async #make(recipe: DriverRecipe, { manifest, bundle }: DriverTarget, kept: string): Promise<void> {
    this.#say(`building the driver ${recipe.name} ${recipe.version}`);
    const from = await bundle();
    let built: string;
    try {
      built = await this.#builder.build(recipe.name, from);
    } catch (error) {
      if (!(error instanceof ScriptFailed)) throw error;
      if (error.end.error?.class !== 'compile') throw troubleOf(error);
      const folder = await mkdtemp(join(this.#folder, PART));
      await writeFile(join(folder, ERROR), error.end.error.detail);
      return put(folder, kept);
    }
    await checkArchive(built, recipe, manifest);
    await takeOver(built);
    await put(built, kept);
  }
}

/**
 * Nothing that is said of an archive by the build itself is believed: a kernel's makefiles ran in it.
 * @throws ArchiveError
 */
async function checkArchive(folder: string, recipe: DriverRecipe, { release }: BundleManifest): Promise<void> {
  const { files } = await readPlainFolder(folder, {
    limits: { entries: 1, fileBytes: DRIVER_MAX_BYTES, totalBytes: DRIVER_MAX_BYTES, nameBytes: 64, depth: 1 },
    refuse: (name) => (name === ARCHIVE ? null : `the build of a driver leaves ${ARCHIVE} alone`),
  });
  if (!files.has(ARCHIVE)) throw new ArchiveError(`there is no ${ARCHIVE}`);
  await walkDriver(join(folder, ARCHIVE), release, recipe);
}

/** Another build of the same key may have been faster, or be at it. */
async function put(folder: string, kept: string): Promise<void> {
  try {
    await rename(folder, kept);
  } catch (error) {
    if (!existsSync(kept)) throw error;
    await rm(folder, { recursive: true, force: true });
  }
}

/** In milliseconds; 0 where there is nothing. */
const ageOf = async (path: string): Promise<number> =>
  Date.now() - (await orIfAbsent(stat(path), { mtimeMs: Number.POSITIVE_INFINITY })).mtimeMs;

/** A script that ended without a word on the driver. */
function troubleOf({ end: { code, error, lastStderrLine } }: ScriptFailed): JobFailure {
  const said = error?.detail ?? `build-driver.sh exited with ${code ?? 'a signal'}: ${lastStderrLine ?? 'no output'}`;
  return new JobFailure('infrastructure', said);
}
