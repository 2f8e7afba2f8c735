import type { Session } from '../../machine/protocols.js';
import { formatBytes, formatSeconds } from '../../timing.js';
import type { AttemptContext } from '../attempt-context.js';
import { lackingFiles, readBootChain } from '../boot-chain.js';
import { JobFailure } from '../failure.js';

/**
 * Makes the candidate's initramfs by the machine's own tool, and checks that all is in it that the machine's root needs.
 * Resolves to its path; undefined when the machine has no such tool configured, so that the candidate boots without one.
 * Throws JobFailure: `request` when the kernel itself lacks a driver, `infrastructure` when the initramfs does.
 */
export async function makeInitramfs(context: AttemptContext, session: Session): Promise<string | undefined> {
  const { machine, paths, signal, work } = context;
  const { initramfs } = machine;
  if (initramfs === null) return undefined;
  const { release } = work.manifest;
  const chain = await readBootChain(session, release, signal);
  if (chain.missing.length > 0) {
    throw new JobFailure(
      'request',
      `${release} cannot mount the root of ${machine.name}, ${chain.root}: it has not ${chain.missing.join('; ')}; ` +
        'build it with a configuration that has these as modules or built in',
    );
  }
  const at = performance.now();
  const { sizeBytes } = await initramfs.make(session, { release, path: paths.initrd, signal });
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
  return paths.initrd;
}
