import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PathRule } from '@peerlab/contracts';
import { openPlainFile } from '../archive/index.js';
import { SOURCE_MAX } from './c-tokens.js';
import { IDS_FILE, RULE_FILE, readPathRule } from './read-path-rule.js';

const FILES = `${RULE_FILE} ${IDS_FILE}`;

/**
 * Applies what patches change of the files that the rule is read from. $1 = the source, $2 = a folder of patches as
 * `build-bundle.sh --patches` leaves it, $3 = an empty folder: gets the files without their folders, and `had` when the source
 * has the first one. git applies as the build does, but those files alone; one that is given another name is gone.
 */
export const RULE_SCRIPT = `source=$1 patches=$2 out=$3
mkdir "$out/tree"
for name in ${FILES}; do
  mkdir -p "$out/tree/\${name%/*}"
  [ ! -f "$source/$name" ] || [ -L "$source/$name" ] || cp "$source/$name" "$out/tree/$name"
done
[ ! -f "$out/tree/${RULE_FILE}" ] || : >"$out/had"
cd "$out/tree"
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_CEILING_DIRECTORIES=$out
for patch in "$patches"/[0-9][0-9][0-9][0-9].patch; do
  [ -f "$patch" ] || continue
  for name in ${FILES}; do
    grep -qF -e "$name" "$patch" || continue
    git apply --whitespace=nowarn --include="$name" "$patch"
  done
  for name in ${FILES}; do
    ! grep -qxF -e "rename from $name" "$patch" || rm -f "$name"
  done
done
for name in ${FILES}; do
  [ ! -f "$name" ] || [ -L "$name" ] || cp "$name" "$out/"
done`;

/**
 * The rule of a source, from the folder that RULE_SCRIPT wrote: whatever lies there, no more is read than such a file has.
 * @returns null for a source that never had it, such as one from before Linux 4.20
 * @throws ArchiveError when there is another thing than a plain file
 */
export async function ruleIn(folder: string): Promise<PathRule | null> {
  const [source, ids] = await Promise.all([read(folder, RULE_FILE), read(folder, IDS_FILE)]);
  if (source === null && !existsSync(join(folder, 'had'))) return null;
  return readPathRule(source, ids);
}

async function read(folder: string, name: string): Promise<string | null> {
  const path = join(folder, name.slice(name.lastIndexOf('/') + 1));
  if (!existsSync(path)) return null;
  const file = await openPlainFile(path);
  try {
    // One byte more, so that a longer one is not taken for whole.
    const buffer = Buffer.alloc(SOURCE_MAX + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
