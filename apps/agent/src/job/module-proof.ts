import { cleanText } from '@peerlab/contracts';
import { output, quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { JobFailure } from './failure.js';
import { buildIdOfNotes } from './kernel-identity.js';
import { type BundleModule, moduleName } from './modules-archive.js';
import type { AttemptContext } from './attempt-context.js';

const PATH_MAX = 300;
const OUTPUT_MAX_BYTES = 16 * 1024;
const LINES_MAX = 20;

/** What a module does to the kernel's taint, by its letters in `/sys/module/NAME/taint`. */
const TAINTS: Readonly<Record<string, string>> = {
  P: 'proprietary',
  O: 'from outside the kernel',
  F: 'loaded by force',
  C: 'from staging',
  E: 'unsigned',
};
/** The versions of symbols, or of the kernel, were not looked at. */
const FORCED = 'F';

/**
 * The file that modprobe takes, the notes of the module that is loaded, in hex, its taint and the digest of its source. Of one that is
 * built in modinfo names no file.
 * @param root what stands before /sys; for tests
 */
export const moduleIdentityScript = (name: string, root = ''): string => {
  const at = `${root}/sys/module/${quote(name)}`;
  return `echo "file|$(modinfo -n ${quote(name)} 2>/dev/null | head -n 1 | head -c ${PATH_MAX})"
echo "notes|$(od -An -v -tx1 -N 1024 ${at}/notes/.note.gnu.build-id 2>/dev/null | tr -d ' \\n')"
for name in taint srcversion; do echo "$name|$(head -c 100 ${at}/$name 2>/dev/null)"; done`;
};

/** What a kernel under test says of a module. */
interface ModuleIdentity {
  /** Empty = none, or none that is named. */
  file: string;
  isBuiltIn: boolean;
  /** Of the one that is loaded, in hex; empty = it has none. */
  buildId: string;
  /** Letters; empty = it taints nothing. */
  taint: string;
  srcversion: string;
}

/** Reads what the script printed; what is no possible value is none. */
export function parseModuleIdentity(text: string): ModuleIdentity {
  const values = new Map<string, string>();
  for (const line of text.slice(0, OUTPUT_MAX_BYTES).split('\n', LINES_MAX)) {
    const [name = '', value = ''] = line.split('|', 2);
    if (!values.has(name)) values.set(name, value.trim());
  }
  const value = (name: string, form: RegExp): string => {
    const found = values.get(name) ?? '';
    return form.test(found) ? found : '';
  };
  const file = cleanText(values.get('file') ?? '', PATH_MAX);
  return {
    file: file.startsWith('/') ? file : '',
    isBuiltIn: file === '(builtin)',
    buildId: buildIdOfNotes(value('notes', /^[0-9a-f]{1,2048}$/)),
    taint: value('taint', /^[A-Z]{1,16}$/),
    srcversion: value('srcversion', /^[0-9A-Fa-f]{1,40}$/),
  };
}

async function readModule(session: Session, module: string, signal: AbortSignal): Promise<ModuleIdentity> {
  const command = script('module-identity', { module }, moduleIdentityScript(module));
  return parseModuleIdentity(await output(session, command, { signal, maxBytes: OUTPUT_MAX_BYTES }));
}

/** For people: where it comes from, which one it is, what it does to the taint. */
function describe({ file, isBuiltIn, buildId, taint, srcversion }: ModuleIdentity): string {
  if (isBuiltIn) return 'built into the kernel';
  const which = [
    ...(buildId === '' ? [] : [`build-id ${buildId}`]),
    ...(srcversion === '' ? [] : [`srcversion ${srcversion}`]),
  ];
  const meanings = taint
    .split('')
    .map((letter) => TAINTS[letter] ?? 'unknown')
    .join(', ');
  return [
    file === '' ? 'from a file that modprobe does not name' : file,
    which.length === 0 ? 'without a build-id' : which.join(', '),
    taint === '' ? 'no taint' : `taint ${taint} (${meanings})`,
  ].join(', ');
}

/** Why the module that is loaded is not the one of the bundle, or not as it was built; null when it is, as far as can be told. */
function whyOther(own: BundleModule, loaded: ModuleIdentity): string | null {
  const isOther =
    own.buildId === ''
      ? // Without a build-id its place tells: the folder of modules is /lib/modules or /usr/lib/modules.
        loaded.file !== '' && !loaded.file.endsWith(`/${own.file.slice('lib/'.length)}`)
      : loaded.buildId !== own.buildId;
  if (isOther) {
    const which = own.buildId === '' ? '' : `its build-id is ${loaded.buildId || 'missing'}, not ${own.buildId}; `;
    return `is not that of the bundle: ${which}modprobe takes ${loaded.file || 'a file it does not name'}; remove modules of that name (DKMS, updates/) from the machine`;
  }
  if (!loaded.taint.includes(FORCED)) return null;
  return 'was loaded by force (taint F), whatever it was built for; look for --force in what loads it (install lines of modprobe.d)';
}

/**
 * Writes down which module runs under a name, once for each that it finds, and proves it where the bundle has one of that
 * name: another one under updates/ or in an initramfs goes first. What is built in or comes from elsewhere is no fault. One of the bundle
 * that has no build-id is known by its file alone, which is noted.
 * @throws JobFailure `infrastructure` when it is another one than the bundle's, or was loaded by force
 */
export async function proveModule(context: AttemptContext, name: string): Promise<void> {
  const { bundleModules, connection, machine, signal, toldModules } = context;
  const module = moduleName(name);
  const own = bundleModules.get(module);
  const loaded = await readModule(connection.require(), module, signal);
  const proof =
    own === undefined
      ? 'not of the bundle'
      : own.buildId === ''
        ? 'of the bundle, where it has no build-id: which module was loaded is not proven'
        : 'of the bundle';
  const text = `module ${name}: ${describe(loaded)}; ${proof}`;
  const why = own === undefined ? null : whyOther(own, loaded);
  if (why !== null) throw new JobFailure('infrastructure', `the module ${name} that runs on ${machine.name} ${why}`);
  if (toldModules.has(text)) return;
  toldModules.add(text);
  context.note(`test: ${text}`);
}
