import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  BUNDLE_FILE_MAX_BYTES,
  BUNDLE_MAX_BYTES,
  BUNDLE_PATH_MAX,
  BundleManifest,
  GCOV_NOTES_FILE,
  MANIFEST_FILE,
  MANIFEST_MAX_BYTES,
  MUTANTS_FILE,
  SERIES_DIFF_FILE,
  whyBadBundle,
} from '@peerlab/contracts';
import { ArchiveError, type FolderLimits, type PlainFile, readPlainFolder, showName } from '../archive/index.js';
import { JobFailure } from './failure.js';
import { DEVEL_FILE, MODULES_FILE, walkModules } from './modules-archive.js';

/** What is known of a bundle without its build: computed from the inputs, outside of the sandbox. */
export const ExpectedBundle = BundleManifest.pick({
  key: true,
  base: true,
  series: true,
  config: true,
  toolchain: true,
});
export type ExpectedBundle = Pick<BundleManifest, keyof typeof ExpectedBundle.shape>;

/** A bundle has about a dozen files; a build that leaves hundreds has been tampered with. */
const LIMITS: FolderLimits = {
  entries: 64,
  fileBytes: BUNDLE_FILE_MAX_BYTES,
  totalBytes: BUNDLE_MAX_BYTES,
  nameBytes: BUNDLE_PATH_MAX,
  depth: 2,
};

/** Files that a build makes beside its suites. The first two are what a machine needs. */
const NEEDED = ['vmlinuz', MODULES_FILE] as const;
const KNOWN: ReadonlySet<string> = new Set([
  MANIFEST_FILE,
  ...NEEDED,
  'config',
  DEVEL_FILE,
  'System.map',
  'sources.gz',
  SERIES_DIFF_FILE,
  GCOV_NOTES_FILE,
  MUTANTS_FILE,
]);
/** Debug information of the image and of modules. */
const DEBUG = /^debug\/(?:vmlinux|[a-zA-Z0-9_-]{1,64}\.ko)$/;
const FOLDERS: ReadonlySet<string> = new Set(['suites', 'debug']);
const SUITE = /^suites\/[a-zA-Z0-9_][a-zA-Z0-9._-]{0,63}$/;

/** Digits of the key at the end of a release. */
const RELEASE_KEY_DIGITS = 8;

/**
 * Checks what a build left in its output folder, as if the build were hostile: a series can run commands in
 * it. Nothing that the folder says is believed: only plain files of known names count, every size and digest
 * is computed again, and the manifest has to agree with them and with what was computed outside of the build.
 * Nothing is copied or changed.
 *
 * The caller guarantees that no process of the build lives, and that the folders above are its own.
 * @param how `anyNames`: for a bundle that was accepted before, whose patches may have had other file names
 * @returns the manifest, whose files are exactly those in the folder
 * @throws JobFailure `build` with what was wrong
 */
export async function checkBuiltBundle(
  folder: string,
  expect: ExpectedBundle,
  how: { anyNames: boolean } = { anyNames: false },
): Promise<BundleManifest> {
  try {
    const { files, kept } = await readPlainFolder(folder, {
      limits: LIMITS,
      refuse: whyUnknown,
      keep: new Map([[MANIFEST_FILE, MANIFEST_MAX_BYTES]]),
    });
    const text = kept.get(MANIFEST_FILE);
    if (text === undefined) throw new ArchiveError(`there is no ${MANIFEST_FILE}`);
    files.delete(MANIFEST_FILE);
    const manifest = parseManifest(text);
    checkFiles(files, manifest);
    checkOrigin(manifest, how.anyNames ? withNamesOf(manifest, expect) : expect);
    checkSuites(manifest);
    await walkModules(join(folder, MODULES_FILE), manifest.release).catch((error: unknown) => {
      throw error instanceof ArchiveError ? new ArchiveError(`${MODULES_FILE} is refused: ${error.message}`) : error;
    });
    return manifest;
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    throw new JobFailure('build', `the build left a bundle that is not accepted: ${error.message}`);
  }
}

function whyUnknown(name: string, kind: 'file' | 'folder'): string | null {
  if (kind === 'folder') return FOLDERS.has(name) ? null : `the folder ${showName(name)} is no part of a bundle`;
  return KNOWN.has(name) || SUITE.test(name) || DEBUG.test(name)
    ? null
    : `the file ${showName(name)} is no part of a bundle`;
}

function parseManifest(text: Buffer): BundleManifest {
  let value: unknown;
  try {
    value = JSON.parse(text.toString());
  } catch {
    throw new ArchiveError(`its ${MANIFEST_FILE} is no JSON`);
  }
  const parsed = BundleManifest.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ArchiveError(
      `its ${MANIFEST_FILE} is wrong at ${showName(issue?.path.join('.') ?? '')}: ${issue?.message}`,
    );
  }
  const problem = whyBadBundle(parsed.data);
  if (problem === null) return parsed.data;
  throw new ArchiveError(`its ${MANIFEST_FILE} is wrong at ${showName(problem.path.join(' '))}: ${problem.message}`);
}

/** The manifest names all files that are there and no other, with their true sizes and digests. */
function checkFiles(found: ReadonlyMap<string, PlainFile>, { files }: BundleManifest): void {
  for (const name of NEEDED) {
    if (!found.has(name)) throw new ArchiveError(`the file ${showName(name)} is missing`);
  }
  for (const name of Object.keys(files)) {
    if (!found.has(name)) throw new ArchiveError(`the file ${showName(name)} of its manifest is missing`);
  }
  for (const [name, { sizeBytes, sha256 }] of found) {
    const said = files[name];
    if (said === undefined) throw new ArchiveError(`the file ${showName(name)} is not in its manifest`);
    if (said.sizeBytes !== sizeBytes)
      throw new ArchiveError(`${showName(name)} has another size than its manifest says`);
    if (said.sha256 !== sha256) throw new ArchiveError(`${showName(name)} has another digest than its manifest says`);
  }
}

/** What is expected, with the manifest's file names and subjects where it has the same patches. */
function withNamesOf({ series }: BundleManifest, expect: ExpectedBundle): ExpectedBundle {
  const texts = (patches: ExpectedBundle['series']): string[] => patches.map(({ sha256 }) => sha256);
  return isDeepStrictEqual(texts(series), texts(expect.series)) ? { ...expect, series } : expect;
}

/** The manifest claims to be made of what the build was given, and the release can be told from every other one. */
function checkOrigin(manifest: BundleManifest, expect: ExpectedBundle): void {
  // Cut to the same lengths as the manifest's texts.
  const expected = ExpectedBundle.parse(expect);
  for (const field of ['key', 'base', 'series', 'config', 'toolchain'] as const) {
    if (!isDeepStrictEqual(manifest[field], expected[field])) {
      throw new ArchiveError(`its manifest has another ${field} than the build was given`);
    }
  }
  const suffix = `-peerlab-${expected.key.slice(0, RELEASE_KEY_DIGITS)}`;
  if (!manifest.release.endsWith(suffix)) {
    throw new ArchiveError(`its release ${showName(manifest.release)} does not end with ${suffix}`);
  }
}

/** A suite is a program of the bundle, not of the machine. */
function checkSuites({ suites, kselftests = [], files }: BundleManifest): void {
  for (const { target, file } of kselftests) {
    if (SUITE.test(file) && files[file] !== undefined) continue;
    throw new ArchiveError(
      `the selftests ${showName(target)} are in ${showName(file)}, which is no file of the bundle`,
    );
  }
  for (const { name, command } of suites) {
    const [program = ''] = command;
    if (!SUITE.test(program) || files[program] === undefined) {
      throw new ArchiveError(`suite ${name} runs ${showName(program)}, which is no suite of the bundle`);
    }
  }
}
