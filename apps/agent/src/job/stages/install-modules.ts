import { quote, script } from '../../machine/command.js';
import { MachineError } from '../../machine/errors.js';
import type { Session } from '../../machine/protocols.js';
import { JobFailure } from '../failure.js';
import { MODULES_FILE, MODULES_MARK } from '../modules-archive.js';
import type { InstalledPaths, AttemptContext } from '../attempt-context.js';

/** Exit status of the command that finds the folder of another kernel where our modules would go. */
export const FOREIGN_MODULES = 78;

/**
 * Shell text that unpacks the uploaded modules below our own folder and moves them to /lib/modules. A folder of
 * the same name is replaced only when its mark, a plain file, holds the bundle's key; otherwise it exits with
 * FOREIGN_MODULES and changes nothing.
 */
export function installModulesScript({ folder, modules }: InstalledPaths, release: string, key: string): string {
  const [folderWord, modulesWord, keyWord] = [quote(folder), quote(modules), quote(key)];
  const mark = `${modulesWord}/${MODULES_MARK}`;
  // Unpacked aside and moved: tar would replace the symbolic link /lib by a folder.
  const unpacked = `root/lib/modules/${quote(release)}`;
  return `umask 022
cd ${folderWord} || exit 1
if [ -e ${modulesWord} ] || [ -L ${modulesWord} ]; then
  [ -d ${modulesWord} ] && [ ! -L ${modulesWord} ] && [ -f ${mark} ] && [ ! -L ${mark} ] &&
    [ "$(head -c 65 ${mark})" = ${keyWord} ] || exit ${FOREIGN_MODULES}
fi
tar --no-same-owner --no-same-permissions --no-overwrite-dir -C root -xf ${MODULES_FILE} &&
  [ -d ${unpacked} ] && [ ! -L ${unpacked} ] &&
  printf '%s\\n' ${keyWord} >${unpacked}/${MODULES_MARK} &&
  rm -rf -- ${modulesWord} && mv -T -- ${unpacked} ${modulesWord} && rm -rf -- ${MODULES_FILE} root`;
}

/** Puts the modules of the bundle beside those of other kernels. Throws JobFailure `request` when one has their name. */
export async function installModules(context: AttemptContext, session: Session): Promise<void> {
  const { paths, signal } = context;
  const { release, key } = context.work.manifest;
  const command = script('unpack-modules', { release }, installModulesScript(paths, release, key));
  const result = await session.exec(command, { signal });
  if (result.code === 0) return;
  if (result.code === FOREIGN_MODULES) {
    throw new JobFailure(
      'request',
      `${paths.modules} on ${context.machine.name} belongs to another kernel and was left alone; ` +
        'build the bundle with another LOCALVERSION, or remove that folder when nothing uses it',
    );
  }
  throw new MachineError(
    'command-failed',
    `the modules were not unpacked on ${context.machine.name}: ${result.stderr.trim().slice(-600) || `exit ${result.code}`}`,
  );
}
