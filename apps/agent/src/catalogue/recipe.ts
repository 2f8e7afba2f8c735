import { createHash, type Hash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

/** Folders of kernel/ that go into the key of a kernel (build-bundle.sh); its series is apart, and drivers are built by themselves. */
const FOLDERS = ['config', 'module', 'scripts', 'selftests'] as const;
const TOOL_MS = 10_000;

/**
 * Digest of what goes into every kernel of a kernel/ folder beside the series: its configurations, modules, suites and
 * scripts, the name of its base, and the compiler. A kernel of another recipe has another key, so that it is built anew.
 * Two recipes may differ although the key of one kernel does not, as they hold all configurations; and a base that is
 * published anew under the same version is not in it. Throws where the folder cannot be read or the tools do not run.
 */
export function readRecipe(kernelDir: string): string {
  const hash = createHash('sha256');
  for (const folder of FOLDERS) hashFolder(hash, kernelDir, join(kernelDir, folder));
  hash.update(`base.json\0${digestOf(join(kernelDir, 'base.json'))}\n`);
  hashTools(hash);
  return hash.digest('hex');
}

/** Scripts of kernel/scripts that a driver is built by. */
const DRIVER_SCRIPTS = ['build-driver.sh', 'driver-recipes.pl', 'report.sh', 'suites.sh', 'explain-build.pl'] as const;

/** The kernel that a driver is built against. */
export interface DriverKernel {
  /** Of its bundle. */
  key: string;
  /** Of the bundle's devel part: two builds of one key may differ. */
  develSha256: string;
}

/**
 * Key of a driver: digest of its source with its name, of what builds it, and of the kernel. Drivers of kernels with different keys never
 * share one: what a series makes of its devel part is no word on another kernel. Throws as `readRecipe`.
 * @param folder the driver, whose name is that of the folder
 */
export function driverKey(kernelDir: string, folder: string, { key, develSha256 }: DriverKernel): string {
  const hash = createHash('sha256').update(`driver ${basename(folder)}\nkernel ${key}\ndevel ${develSha256}\n`);
  hashFolder(hash, folder, folder);
  for (const script of DRIVER_SCRIPTS) hash.update(`${script}\0${digestOf(join(kernelDir, 'scripts', script))}\n`);
  hashTools(hash);
  return hash.digest('hex');
}

/** Names, contents, which files are programs, and where links lead. */
function hashFolder(hash: Hash, top: string, folder: string): void {
  for (const file of filesOf(folder)) {
    const is = lstatSync(file);
    const what = is.isSymbolicLink() ? `link ${readlinkSync(file)}` : digestOf(file);
    hash.update(`${relative(top, file)}\0${what}${is.mode & 0o100 ? ' program' : ''}\n`);
  }
}

function hashTools(hash: Hash): void {
  for (const tool of ['gcc', 'ld']) hash.update(`${firstLine(tool)}\n`);
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

const digestOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

const firstLine = (tool: string): string =>
  execFileSync(tool, ['--version'], { encoding: 'utf8', timeout: TOOL_MS }).split('\n', 1)[0] ?? '';
