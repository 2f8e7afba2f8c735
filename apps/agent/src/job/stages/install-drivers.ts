import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DRIVER_MAX_BYTES, type DriverBuild } from '@peerlab/contracts';
import { ArchiveError } from '../../archive/index.js';
import { output, quote, script } from '../../machine/command.js';
import type { Session } from '../../machine/protocols.js';
import type { AttemptContext, InstalledPaths } from '../attempt-context.js';
import { messageOf } from '../../error-message.js';
import { JobFailure } from '../failure.js';
import { type BundleModule, driverFolder, walkDriver } from '../modules-archive.js';

type BuiltDriver = DriverBuild & { archive: NonNullable<DriverBuild['archive']> };
/** Sends a file of this computer to the machine. */
type Upload = (file: string, name: string, target: string, sha256: string) => Promise<void>;

/** The drivers of the machine that were built against the kernel, in the order in which they are loaded. */
export function driversOf({ machine, work }: AttemptContext): BuiltDriver[] {
  return machine.drivers.flatMap((name) => {
    const driver = work.drivers?.find((each) => each.name === name);
    return driver === undefined || driver.archive === null ? [] : [{ ...driver, archive: driver.archive }];
  });
}

/**
 * Puts the machine's drivers beside the modules of the bundle, which are installed, and notes what they bring, so that what is
 * loaded is proven. Throws JobFailure: `request` for an archive that has anything but the driver's own folder, or a module that the
 * kernel itself has; `infrastructure` for a module that two drivers have, and an archive that cannot be fetched.
 */
export async function installDrivers(context: AttemptContext, session: Session, upload: Upload): Promise<void> {
  const drivers = driversOf(context);
  if (drivers.length === 0) return;
  const { bundles, paths, signal, work } = context;
  const { release } = work.manifest;
  const folder = await mkdtemp(join(tmpdir(), 'peerlab-drivers-'));
  try {
    for (const driver of drivers) {
      const { name, archive } = driver;
      const file = join(folder, `${name}.tar`);
      await bundles.download(archive.sha256, file, DRIVER_MAX_BYTES, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        throw new JobFailure('infrastructure', `the driver ${name} cannot be fetched: ${messageOf(error)}`);
      });
      context.bundleModules = withModules(context.bundleModules, await modulesOf(file, driver, release), driver);
      await upload(file, `the driver ${name}`, `${paths.folder}/${archiveOf(name)}`, archive.sha256);
      await output(session, script('unpack-driver', { release, name }, installDriverScript(paths, release, name)), {
        signal,
      });
      await rm(file);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  // modprobe, and what makes an initramfs, look into these lists.
  const command = `PATH=$PATH:/usr/sbin:/sbin depmod ${quote(release)}`;
  await output(session, script('depmod', { release }, command), { signal });
}

const refused = ({ name }: DriverBuild, why: string): JobFailure =>
  new JobFailure('request', `the archive of the driver ${name} is refused: ${why}`);

async function modulesOf(file: string, driver: DriverBuild, release: string): Promise<Map<string, BundleModule>> {
  try {
    return await walkDriver(file, release, driver);
  } catch (error) {
    throw error instanceof ArchiveError ? refused(driver, error.message) : error;
  }
}

function withModules(
  known: ReadonlyMap<string, BundleModule>,
  more: ReadonlyMap<string, BundleModule>,
  driver: DriverBuild,
): ReadonlyMap<string, BundleModule> {
  for (const name of more.keys()) {
    const other = known.get(name);
    if (other === undefined) continue;
    const why = `the module ${name} is there already: ${other.file}`;
    if (!other.file.includes(`/${driverFolder('')}`)) throw refused(driver, why);
    throw new JobFailure(
      'infrastructure',
      `two drivers of this machine cannot be put beside each other: ${driver.name}: ${why}`,
    );
  }
  return new Map([...known, ...more]);
}

const archiveOf = (name: string): string => `driver-${name}.tar`;

/** Shell text that unpacks an uploaded archive aside and moves the driver's folder into that of our modules. */
export function installDriverScript({ folder, modules }: InstalledPaths, release: string, name: string): string {
  const [archive, place] = [quote(archiveOf(name)), `${quote(modules)}/${quote(driverFolder(name))}`];
  const unpacked = `driver-root/lib/modules/${quote(release)}/${quote(driverFolder(name))}`;
  return `umask 022
cd ${quote(folder)} && rm -rf driver-root && mkdir driver-root &&
  tar --no-same-owner --no-same-permissions --no-overwrite-dir -C driver-root -xf ${archive} &&
  [ -d ${unpacked} ] && [ ! -L ${unpacked} ] &&
  mkdir -p -- "$(dirname ${place})" && rm -rf -- ${place} && mv -T -- ${unpacked} ${place} &&
  rm -rf -- driver-root ${archive}`;
}
