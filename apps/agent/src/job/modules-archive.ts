import { BUNDLE_FILE_MAX_BYTES } from '@peerlab/contracts';
import { type ArchiveLimits, ArchiveError, openPlainFile, readArchive, showName } from '../archive/index.js';
import { buildIdOfElf } from './elf-build-id.js';
import { JobFailure } from './failure.js';

/** A kernel's modules in a bundle: a tar of `lib/modules/RELEASE`. */
export const MODULES_FILE = 'modules.tar';
/** What drivers from outside of the tree are built against; a bundle of an older tree has none. */
export const DEVEL_FILE = 'devel.tar.gz';
/** The plain file in a folder of modules on a machine that says that it is ours; holds the bundle's key. */
export const MODULES_MARK = '.peerlab';

/**
 * A distribution's kernel has some 6000 modules and folders, ours has a few hundred. A module is read into memory, one at a time; the
 * largest, of GPUs, have about 100 MB.
 */
const LIMITS: ArchiveLimits = {
  entries: 30_000,
  fileBytes: 256 * 1024 * 1024,
  totalBytes: BUNDLE_FILE_MAX_BYTES,
  nameBytes: 1024,
  depth: 24,
};

/** A module of a bundle. */
export interface BundleModule {
  /** Its place in modules.tar: `lib/modules/RELEASE/…`. */
  file: string;
  /** In hex; empty = it has none. */
  buildId: string;
}

/**
 * Walks modules.tar, or the archive of a driver, as a machine's tar will unpack it, without writing anything: plain files and
 * folders only, all below lib/modules/RELEASE, or below `folder` of that. Resolves to the modules called `wanted` that it has, by the kernel's name for them. Throws
 * ArchiveError.
 */
export async function walkModules(
  tarFile: string,
  release: string,
  wanted: readonly string[] = [],
  folder = '',
): Promise<Map<string, BundleModule>> {
  const found = new Map<string, BundleModule>();
  const names = new Set(wanted.map(moduleName));
  const root = ['lib/modules', release, ...(folder === '' ? [] : [folder])].join('/');
  const above = new Set(root.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/')));
  const file = await openPlainFile(tarFile);
  try {
    const stream = file.createReadStream({ autoClose: false, start: 0 }) as AsyncIterable<Buffer>;
    let files = 0;
    for await (const entry of readArchive(stream, LIMITS)) {
      const { name, kind } = entry;
      if (kind === 'folder' && above.has(name)) continue;
      if (!name.startsWith(`${root}/`)) throw new ArchiveError(`entry ${showName(name)} is not below ${root}`);
      if (name === `${root}/${MODULES_MARK}` || name.startsWith(`${root}/${MODULES_MARK}/`)) {
        throw new ArchiveError(`entry ${showName(name)} has the name of the agent's own mark`);
      }
      if (kind === 'file') files += 1;
      const module = /([^/]+)\.ko$/.exec(name)?.[1];
      if (kind !== 'file' || module === undefined || !names.has(moduleName(module))) continue;
      // In one piece: joining pieces would take the memory of a large one twice.
      const content = Buffer.alloc(entry.sizeBytes);
      let at = 0;
      for await (const chunk of entry.content()) at += chunk.copy(content, at);
      found.set(moduleName(module), { file: name, buildId: buildIdOfElf(content) });
    }
    if (files === 0) throw new ArchiveError(`it has no file below ${root}`);
    return found;
  } finally {
    await file.close();
  }
}

/** As the kernel names a module: it takes - and _ for the same. */
export const moduleName = (name: string): string => name.replaceAll('-', '_');

/**
 * Checks the modules of a bundle before they go to a machine; resolves to what it has of those called `wanted`, see
 * `walkModules`. Throws JobFailure `request`.
 */
export async function checkModules(
  tarFile: string,
  release: string,
  wanted: readonly string[],
): Promise<Map<string, BundleModule>> {
  try {
    return await walkModules(tarFile, release, wanted);
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    throw new JobFailure(
      'request',
      `${MODULES_FILE} of the bundle is refused: ${error.message}; it has to be a plain tar of the files and folders ` +
        `of lib/modules/${release}, without the links build and source`,
    );
  }
}

/** Where the modules of a driver go, below lib/modules/RELEASE. */
export const driverFolder = (name: string): string => `updates/peerlab/${name}`;

/**
 * Checks the archive of a driver: its own folder alone, with each of its modules; resolves to those. Throws ArchiveError.
 */
export async function walkDriver(
  tarFile: string,
  release: string,
  { name, modules }: { name: string; modules: readonly string[] },
): Promise<Map<string, BundleModule>> {
  const found = await walkModules(tarFile, release, modules, driverFolder(name));
  const missing = modules.find((module) => !found.has(moduleName(module)));
  if (missing !== undefined) throw new ArchiveError(`the module ${showName(missing)} is missing`);
  return found;
}
