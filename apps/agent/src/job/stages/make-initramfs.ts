import { join } from 'node:path';
import type { InitramfsPacking, Session } from '../../machine/protocols.js';
import { formatBytes, formatSeconds } from '../../timing.js';
import type { AttemptContext, InstalledPaths } from '../attempt-context.js';
import { checkBootChain, describeNetwork, lackingFiles, readBootChain } from '../boot-chain.js';
import { JobFailure } from '../failure.js';
import { readConfig } from '../module-signatures.js';

/** In the order in which they are preferred: what unpacks fast first. */
const PACKINGS: readonly InitramfsPacking[] = ['zstd', 'gzip', 'lz4', 'xz'];

/** The packings that a kernel of this configuration can unpack. */
export const packingsOf = (config: string): InitramfsPacking[] =>
  PACKINGS.filter((packing) => `\n${config}\n`.includes(`\nCONFIG_RD_${packing.toUpperCase()}=y\n`));

/**
 * How the candidate's initramfs has to be packed. The tools pack as the default kernel wants it: another one would find no
 * root, and say nothing of the reason.
 * @returns null when the bundle has no configuration
 */
async function readPacking(context: AttemptContext, bundleFolder: string): Promise<InitramfsPacking | null> {
  const { manifest } = context.work;
  if (manifest.files['config'] === undefined) return null;
  const [packing] = packingsOf(await readConfig(join(bundleFolder, 'config')));
  if (packing !== undefined) return packing;
  throw new JobFailure(
    'request',
    `${manifest.release} cannot unpack an initramfs, which the root of ${context.machine.name} needs; ` +
      'build it with a configuration that has CONFIG_RD_ZSTD or CONFIG_RD_GZIP',
  );
}

/** Where the candidate's configuration lies on the machine while its initramfs is made. */
export const configOn = ({ folder }: InstalledPaths): string => `${folder}/config`;

/**
 * Makes the candidate's initramfs by the machine's own tool, and checks that all is in it that the machine's root needs.
 * Resolves to its path; undefined when the machine has no such tool configured, so that the candidate boots without one.
 * Throws JobFailure: `request` when the kernel itself lacks a driver, `infrastructure` when the initramfs does.
 * @param bundleFolder the bundle's files on this computer
 */
export async function makeInitramfs(
  context: AttemptContext,
  session: Session,
  bundleFolder: string,
): Promise<string | undefined> {
  const { machine, paths, signal, work } = context;
  const { initramfs } = machine;
  if (initramfs === null) return undefined;
  const { release } = work.manifest;
  const chain = await readBootChain(session, release, signal);
  checkBootChain(chain, release, machine.name);
  const packing = await readPacking(context, bundleFolder);
  const at = performance.now();
  const config = packing === null ? null : configOn(paths);
  const { sizeBytes } = await initramfs.make(session, { release, path: paths.initrd, packing, config, signal });
  context.note(
    `flash: ${initramfs.tool} made ${paths.initrd}, ${formatBytes(sizeBytes)}, in ${formatSeconds(performance.now() - at)}`,
  );
  const lacking = lackingFiles(chain, await initramfs.list(session, paths.initrd, signal));
  if (lacking.length > 0) {
    throw new JobFailure(
      'infrastructure',
      `the initramfs that ${initramfs.tool} made on ${machine.name} lacks ${lacking.join(', ')}, which its root ${chain.root} needs; ` +
        'correct the configuration of that tool on the machine',
    );
  }
  const inside = [...chain.modules, ...chain.tools].join(' ') || 'nothing more';
  context.note(
    `flash: root ${chain.root}: built in ${chain.builtin.join(' ') || 'nothing'}; in the initramfs ${inside}`,
  );
  context.note(`flash: ${describeNetwork(chain)}`);
  return paths.initrd;
}
