import type { SuiteEntry } from '@peerlab/contracts';
import { join } from 'node:path';
import { stat } from 'node:fs/promises';
import { output, quote, script } from '../../machine/command.js';
import { MachineError } from '../../machine/errors.js';
import type { Session } from '../../machine/protocols.js';
import { formatBytes, formatSeconds } from '../../timing.js';
import { checkBootChain, describeNetwork, readBootChain } from '../boot-chain.js';
import { deviceArguments } from '../chosen-devices.js';
import { candidateCommandLine, namesPlainRoot, whyTooLong } from '../command-line.js';
import { JobFailure } from '../failure.js';
import { readConfig, whyModulesRefused } from '../module-signatures.js';
import { MODULES_FILE, checkModules } from '../modules-archive.js';
import type { AttemptContext } from '../attempt-context.js';
import { modulesOfOwnSuites, ownBundleFiles, placeOwnSuites } from '../own-suite.js';
import { withSignedKernel } from '../signed-image.js';
import { planSuite } from '../suite-plan.js';
import { driversOf, installDrivers } from './install-drivers.js';
import { installModules } from './install-modules.js';
import { configOn, makeInitramfs } from './make-initramfs.js';
import { checkFreeSpace } from './prepare.js';

/** Programs of the bundle that none of the chosen suites runs; one program may be several suites. */
export function unwantedPrograms(all: readonly SuiteEntry[], chosen: readonly SuiteEntry[]): Set<string> {
  const programs = (suites: readonly SuiteEntry[]): string[] => suites.map((suite) => suite.command[0] ?? '');
  const wanted = new Set(programs(chosen));
  return new Set(programs(all).filter((program) => !wanted.has(program)));
}

/** Installs the kernel beside the default one, under our own names. */
export async function flash(context: AttemptContext): Promise<string> {
  const { work, signal, paths, defaultKernel, signsWith } = context;
  if (defaultKernel === null) throw new Error('flash before prepare');
  const { manifest } = work;
  // First of all, so that a kernel that never boots shows what it kept from running. The suites themselves
  // are asked on the candidate alone: nothing of a submission runs on the default kernel.
  for (const suite of work.suites) planSuite(context, suite, suite.tests);
  if (manifest.release === defaultKernel.release) {
    throw new JobFailure(
      'request',
      `the bundle's release ${manifest.release} is that of the default kernel; build it with another LOCALVERSION`,
    );
  }
  const fetchedAt = performance.now();
  const folder = await context.bundles.fetch(work.bundle.sha256, manifest, signal);
  context.note(
    `flash: bundle ${work.bundle.sha256.slice(0, 12)}… (${formatBytes(work.bundle.sizeBytes)}) in the agent's cache, ` +
      `all digests right, ${formatSeconds(performance.now() - fetchedAt)}`,
  );
  if (manifest.files[MODULES_FILE] !== undefined) {
    const modules = join(folder, MODULES_FILE);
    const ofDrivers = driversOf(context).flatMap((driver) => driver.modules);
    const proven = [...manifest.modules, ...ofDrivers, ...modulesOfOwnSuites(context)];
    context.bundleModules = await checkModules(modules, manifest.release, proven);
    await checkModuleSignatures(context, folder, defaultKernel.commandLine);
  }
  await context.machine.disk?.markUsed();
  context.spool.updateRecord({ touched: true });
  const session = context.connection.require();
  const unwanted = unwantedPrograms(manifest.suites, work.suites);
  const archives = new Set(ownBundleFiles(context));
  for (const { file } of manifest.kselftests ?? []) if (!archives.has(file)) unwanted.add(file);
  const folderWord = quote(paths.folder);
  await output(
    session,
    script('make-folders', { path: paths.folder }, `mkdir -p ${folderWord}/suites ${folderWord}/root`),
  );
  for (const path of Object.keys(manifest.files)) {
    const target = remotePath(path, context);
    if (target === null || unwanted.has(path)) continue;
    const local = join(folder, path);
    if (path === 'vmlinuz' && signsWith !== null) {
      await withSignedKernel(local, signsWith, (signed, { sha256 }) =>
        uploadFile(context, session, signed, path, target, sha256),
      );
      context.note(`flash: ${path} signed for Secure Boot with ${signsWith.certificateFile}`);
    } else await uploadFile(context, session, local, path, target, manifest.files[path]?.sha256 ?? '');
  }
  await placeOwnSuites(context, session);
  if (manifest.files[MODULES_FILE] !== undefined) {
    await installModules(context, session);
    await installDrivers(context, session, (file, name, target, sha256) =>
      uploadFile(context, session, file, name, target, sha256),
    );
  }
  const ids = { nonce: work.nonce, attemptId: context.assignment.attemptId };
  const initrdPath = await makeInitramfs(context, session, folder);
  const root = initrdPath === undefined ? await plainRoot(context, session) : await rootSource(session);
  const config = manifest.files['config'] === undefined ? null : await readConfig(join(folder, 'config'));
  const kernel = { release: manifest.release, config };
  const toConsole = (await context.machine.console?.starter?.bootWords(session, kernel, signal)) ?? [];
  const more = [...context.machine.kernelArguments, ...toConsole, ...deviceArguments(work)];
  const commandLine = candidateCommandLine(defaultKernel.commandLine, root, ids, more, initrdPath !== undefined);
  const tooLong = whyTooLong(commandLine, paths.kernel);
  if (tooLong !== null) throw new JobFailure('infrastructure', `${context.machine.name}: ${tooLong}`);
  context.spool.updateRecord({ commandLine });
  await context.machine.boot.install(session, {
    kernelPath: paths.kernel,
    ...(initrdPath === undefined ? {} : { initrdPath }),
    commandLine,
  });
  if (context.machine.boot.caveat !== undefined) context.note(`flash: ${context.machine.boot.caveat}`);
  context.note(`flash: boot entry installed, command line: ${commandLine}`);
  await output(session, script('sync', {}, 'sync'), { signal });
  return `${manifest.release} installed as ${paths.kernel}`;
}

/** A kernel that refuses the modules of its own bundle is found out before it is booted. */
async function checkModuleSignatures(
  { work, machine }: AttemptContext,
  folder: string,
  inherited: string,
): Promise<void> {
  if (work.manifest.files['config'] === undefined) return;
  const words = [inherited, ...machine.kernelArguments].join(' ');
  const refused = whyModulesRefused(await readConfig(join(folder, 'config')), words);
  if (refused === null) return;
  const { release } = work.manifest;
  throw new JobFailure(
    refused.isOfMachine ? 'infrastructure' : 'request',
    `${release} would refuse every module on ${machine.name}: ${refused.why}`,
  );
}

function remotePath(path: string, { paths, machine }: AttemptContext): string | null {
  if (path === 'vmlinuz') return paths.kernel;
  if (path === 'config') return machine.initramfs === null ? null : configOn(paths);
  if (path === MODULES_FILE || path.startsWith('suites/')) return `${paths.folder}/${path}`;
  return null;
}

async function uploadFile(
  context: AttemptContext,
  session: Session,
  local: string,
  name: string,
  target: string,
  sha256: string,
): Promise<void> {
  const { size } = await stat(local);
  const start = performance.now();
  try {
    const { resumedAtBytes } = await session.upload(local, target, {
      sha256,
      sizeBytes: size,
      mode: name === 'vmlinuz' || name === 'config' ? 0o644 : 0o755,
      signal: context.signal,
    });
    const resumed = resumedAtBytes > 0 ? `, resumed at ${formatBytes(resumedAtBytes)}` : '';
    context.note(
      `flash: uploaded ${name} ${formatBytes(size)} in ${formatSeconds(performance.now() - start)}, sha256 ok${resumed}`,
    );
  } catch (error) {
    // SFTP says only "Failure" when the disk is full; the machine says more.
    if (error instanceof MachineError && (error.kind === 'upload' || error.kind === 'command-failed')) {
      await checkFreeSpace(context);
    }
    throw error;
  }
}

/** A partition that a kernel mounts without an initramfs. */
const PLAIN_PARTITION =
  /^\/dev\/(?:[svhx]v?d[a-z]{1,2}\d{0,3}|nvme\d{1,3}n\d{1,3}(?:p\d{1,3})?|mmcblk\d{1,2}p\d{1,2})$/;

/** Why a kernel without an initramfs finds no root there; null when it does. `source` as findmnt prints it. */
export function whyNoPlainRoot(source: string): string | null {
  if (PLAIN_PARTITION.test(source)) return null;
  return (
    `the root file system lies on ${source.slice(0, 200) || 'something that findmnt does not name'}, which a kernel finds only with an ` +
    'initramfs; name the tool that makes one on this machine in initramfs: of its config (initramfs-tools, dracut, mkinitcpio)'
  );
}

async function rootSource(session: Session): Promise<string> {
  return (await output(session, script('root-device', {}, 'findmnt -no SOURCE /'))).trim();
}

/**
 * The partition for root=, for a kernel without an initramfs.
 * Throws JobFailure: `infrastructure` when it is none, `request` when the kernel has what it needs for it as modules, or has not what it
 * needs for it or for the network.
 */
async function plainRoot(context: AttemptContext, session: Session): Promise<string> {
  const { defaultKernel, machine, signal, work } = context;
  const root = await rootSource(session);
  const problem = namesPlainRoot(defaultKernel?.commandLine ?? '') ? null : whyNoPlainRoot(root);
  if (problem !== null) throw new JobFailure('infrastructure', `${machine.name}: ${problem}`);
  const { release, files } = work.manifest;
  if (files[MODULES_FILE] === undefined) return root;
  const chain = await readBootChain(session, release, signal);
  checkBootChain(chain, release, machine.name);
  if (chain.modules.length > 0)
    throw new JobFailure(
      'request',
      `${release} cannot mount the root of ${machine.name}, ${chain.root}: without an initramfs it finds no module, and has ` +
        `${chain.modules.join(', ')} as such; build it with these built in, or name the tool that makes an initramfs on this ` +
        'machine in initramfs: of its config',
    );
  context.note(`flash: ${describeNetwork(chain)}`);
  return root;
}
