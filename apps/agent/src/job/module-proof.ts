import { cleanText } from '@peerlab/contracts';
import { output, quote, script } from '../machine/command.js';
import { JobFailure } from './failure.js';
import { buildIdOfNotes } from './kernel-identity.js';
import { moduleName } from './modules-archive.js';
import type { AttemptContext } from './attempt-context.js';

const PATH_MAX = 300;

/** Where the module comes from that modprobe takes, and the notes of the one that is loaded, in hex. */
const READ = (name: string): string => `modinfo -n ${quote(name)} 2>/dev/null | head -c ${PATH_MAX}
echo
od -An -v -tx1 -N 1024 /sys/module/${quote(name)}/notes/.note.gnu.build-id 2>/dev/null | tr -d ' \\n'`;

/**
 * Proves that a loaded module is that of the bundle: one of the same name under updates/ or in an initramfs goes first. A
 * module without a build-id cannot be proven, which is noted. Throws JobFailure `infrastructure`.
 */
export async function proveModule(context: AttemptContext, name: string): Promise<void> {
  const module = moduleName(name);
  const wanted = context.moduleBuildIds.get(module);
  if (wanted === undefined) {
    context.note(`test: ${name} of the bundle has no build-id; which module was loaded is not proven`);
    return;
  }
  const text = await output(context.connection.require(), script('module-identity', { module }, READ(module)), {
    signal: context.signal,
    maxBytes: 16 * 1024,
  });
  const lines = text.split('\n').map((line) => line.trim());
  const path = lines.find((line) => line.startsWith('/')) ?? '';
  const found = buildIdOfNotes(lines.find((line) => /^[0-9a-f]+$/.test(line)) ?? '');
  if (found === wanted) return;
  throw new JobFailure(
    'infrastructure',
    `the module ${name} that runs on ${context.machine.name} is not that of the bundle: its build-id is ${found || 'missing'}, ` +
      `not ${wanted}; modprobe takes ${cleanText(path, PATH_MAX) || 'a file it does not name'}; remove modules of that name (DKMS, updates/) from the machine`,
  );
}
