import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Folders of kernel/ that go into the key of a kernel (build-bundle.sh), `drivers` where there is one; its series is apart. */
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
  const drivers = existsSync(join(kernelDir, 'drivers')) ? ['drivers'] : [];
  for (const folder of [...FOLDERS, ...drivers]) {
    for (const file of filesOf(join(kernelDir, folder))) {
      hash.update(`${relative(kernelDir, file)}\0${digestOf(file)}\n`);
    }
  }
  hash.update(`base.json\0${digestOf(join(kernelDir, 'base.json'))}\n`);
  for (const tool of ['gcc', 'ld']) hash.update(`${firstLine(tool)}\n`);
  return hash.digest('hex');
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

const digestOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

const firstLine = (tool: string): string =>
  execFileSync(tool, ['--version'], { encoding: 'utf8', timeout: TOOL_MS }).split('\n', 1)[0] ?? '';
