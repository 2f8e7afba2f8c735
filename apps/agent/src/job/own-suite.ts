import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BundleManifest,
  JUNIT_MAX,
  type OwnSuite,
  SCRIPT_FILE,
  SUITE_FILE_MAX_BYTES,
  type WorkSuite,
} from '@peerlab/contracts';
import { output, quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import type { AttemptContext } from './attempt-context.js';
import { proveModule } from './module-proof.js';

/** Why a suite is not started. */
export interface NotStarted {
  status: 'skip' | 'no-result';
  reason: string;
}

/** A suite that no bundle has: the run or a lab brings it. */
export type OwnWork = WorkSuite & { own: OwnSuite };

export const isOwn = (suite: WorkSuite): suite is OwnWork => suite.own !== undefined;

/** Where the suites that no bundle has lie on the machine, each in a folder named by its place. */
const OWN_FOLDER = 'own';
const ARTIFACTS_FOLDER = 'artifacts';

/** Folder of a suite on the machine. */
export function folderOf({ paths, work }: Pick<AttemptContext, 'paths' | 'work'>, suite: WorkSuite): string {
  return `${paths.folder}/${OWN_FOLDER}/${work.suites.indexOf(suite)}`;
}

/** Where a suite leaves files for people. */
export const artifactsOf = (context: Pick<AttemptContext, 'paths' | 'work'>, suite: WorkSuite): string =>
  `${folderOf(context, suite)}/${ARTIFACTS_FOLDER}`;

/** The file of the bundle with a target of the kernel's selftests; null when the bundle lacks it. */
function archiveOf({ work }: Pick<AttemptContext, 'work'>, { own }: OwnWork): string | null {
  return work.manifest.kselftests?.find(({ target }) => target === own.kselftest)?.file ?? null;
}

/** Files of the bundle that the job's own suites need. */
export const ownBundleFiles = (context: Pick<AttemptContext, 'work'>): string[] =>
  context.work.suites.filter(isOwn).flatMap((suite) => archiveOf(context, suite) ?? []);

/** Modules that the job's own suites need. */
export const modulesOfOwnSuites = ({ work }: Pick<AttemptContext, 'work'>): string[] =>
  work.suites.filter(isOwn).flatMap(({ own }) => own.needs.modules ?? []);

/**
 * Writes scripts and files of the job's own suites to the machine. Nothing of them runs: that the machine still has its
 * default kernel does not matter.
 */
export async function placeOwnSuites(context: AttemptContext, session: Session): Promise<void> {
  const { signal } = context;
  for (const suite of context.work.suites.filter(isOwn)) {
    const folder = folderOf(context, suite);
    await output(
      session,
      script('make-folders', { path: folder }, `mkdir -p ${quote(folder)} ${quote(`${folder}/${ARTIFACTS_FOLDER}`)}`),
      { signal },
    );
    if (suite.own.script !== undefined) {
      const path = `${folder}/${SCRIPT_FILE}`;
      const place = `umask 022; cat > ${quote(path)} && chmod 755 ${quote(path)}`;
      await output(session, script('suite-script', { path }, place), { stdin: suite.own.script, signal });
    }
    for (const { name, artifact } of suite.own.files) await placeFile(context, session, artifact, `${folder}/${name}`);
  }
}

async function placeFile(context: AttemptContext, session: Session, sha256: string, target: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'peerlab-suite-'));
  try {
    const local = join(folder, 'file');
    await context.bundles.download(sha256, local, SUITE_FILE_MAX_BYTES, context.signal);
    const { size: sizeBytes } = await stat(local);
    await session.upload(local, target, { sha256, sizeBytes, mode: 0o755, signal: context.signal });
    context.note(`flash: uploaded ${target} (${sizeBytes} bytes), sha256 ok`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Exit status of the script for a device that the machine does not have; which stands on its standard output. */
const NO_DEVICE = 79;
/** The same for what the run promised: a program, a package, a module, whole files. */
const NOT_THERE = 78;
/** Installing packages and unpacking archives. */
const PREPARE_TIMEOUT_MS = 10 * 60_000;
/** Longest reason, in characters. */
const REASON_KEPT = 500;

/**
 * Makes a suite ready on the kernel under test: unpacks its files, loads and proves its modules and looks for what it needs.
 * Missing packages are installed where the machine's disk is reset afterwards.
 * @returns why it cannot run; null when it can. A machine without the device makes a skip, anything else no result: the
 * run promised it
 */
export async function prepareOwnSuite(context: AttemptContext, suite: OwnWork): Promise<NotStarted | null> {
  const archive = suite.own.kselftest === undefined ? null : archiveOf(context, suite);
  if (suite.own.kselftest !== undefined && archive === null) {
    return { status: 'no-result', reason: whyNoSelftests(context.work.manifest, suite.own.kselftest) };
  }
  const text = prepareScript(suite, {
    folder: folderOf(context, suite),
    archive: archive === null ? null : `${context.paths.folder}/${archive}`,
    mayInstall: context.machine.disk !== null,
  });
  const command = script('suite-prepare', { suite: suite.name }, text);
  const result = await context.connection
    .require()
    .exec(command, { signal: context.signal, timeoutMs: PREPARE_TIMEOUT_MS });
  if (result.code === 0) {
    for (const name of suite.own.needs.modules ?? []) await proveModule(context, name);
    return null;
  }
  const isKnown = result.code === NO_DEVICE || result.code === NOT_THERE;
  const said = (isKnown ? result.stdout : result.stderr).trim();
  const why = said.split('\n').at(-1)?.slice(-REASON_KEPT) ?? '';
  return {
    status: result.code === NO_DEVICE ? 'skip' : 'no-result',
    reason: why === '' ? `it could not be prepared: exit ${result.code ?? 'by a signal'}` : why,
  };
}

/** Why the bundle lacks a target of the kernel's selftests: what the builder found, where the bundle says it. */
function whyNoSelftests({ unbuilt = [] }: BundleManifest, target: string): string {
  const why = unbuilt.find((each) => each.target === target)?.error;
  if (why === undefined) return `the bundle has no selftests "${target}"; name them in the run that builds the kernel`;
  return `the selftests "${target}" were not built: ${why}`;
}

/** Shell text for the machine; see prepareOwnSuite. */
export function prepareScript(
  suite: OwnWork,
  { folder, archive, mayInstall }: { folder: string; archive: string | null; mayInstall: boolean },
): string {
  const { own } = suite;
  const lacking = (what: string, code = NOT_THERE): string => `{ echo ${quote(what)}; exit ${code}; }`;
  const install = mayInstall
    ? 'DEBIAN_FRONTEND=noninteractive timeout 500 apt-get install -y --no-install-recommends -- "$package" </dev/null >/dev/null 2>&1 || '
    : '';
  const remedy = mayInstall ? 'and could not be installed; is a mirror reachable?' : 'on the machine; install it there';
  return [
    `cd ${quote(folder)} || exit 1`,
    ...(own.needs.root === true
      ? [`[ "$(id -u)" = 0 ] || ${lacking('it needs root, and the farm is not root here')}`]
      : []),
    ...own.packages.map(
      (name) =>
        `package=${quote(name)}; dpkg-query -W -f '\${db:Status-Abbrev}' -- "$package" 2>/dev/null | grep -q '^ii' || ${install}${lacking(`it needs the package ${name}, which is not installed ${remedy}`)}`,
    ),
    ...(own.needs.modules ?? []).map((name) => loadModule(name)),
    ...(own.needs.devices ?? []).map(
      (path) => `[ -e ${quote(path)} ] || ${lacking(`it needs ${path}, which is not there`, NO_DEVICE)}`,
    ),
    ...(own.path === undefined
      ? []
      : [`[ -x ${quote(own.path)} ] || ${lacking(`there is no program ${own.path} on the machine`)}`]),
    ...own.files
      .filter(({ unpack }) => unpack === true)
      .map(
        ({ name }) => `tar -xf ${quote(`./${name}`)} || ${lacking(`${name} cannot be unpacked: it is no tar archive`)}`,
      ),
    ...(archive === null ? [] : [`tar -xf ${quote(archive)} || exit 1`]),
    ...programOf(suite).map(
      (program) =>
        `command -v -- ${quote(program)} >/dev/null || ${lacking(`there is no program ${program} on the machine`)}`,
    ),
    'exit 0',
  ].join('\n');
}

/** A driver that finds no device of its own is no fault of the kernel; a module that is missing or refused was promised. */
function loadModule(name: string): string {
  const what = `it needs the kernel module ${name}`;
  return [
    `said=$(LC_ALL=C modprobe -- ${quote(name)} 2>&1) || case $said in`,
    `*'No such device'*) echo ${quote(`${what}, which finds no device`)}; exit ${NO_DEVICE} ;;`,
    `*) echo ${quote(`${what}, which cannot be loaded: `)}"$(printf %s "$said" | tail -n 1 | cut -c 1-300)"; exit ${NOT_THERE} ;;`,
    'esac',
  ].join('\n');
}

/** What has to be there before the suite is started: the program of its command, or what the first line of its script names. */
function programOf({ own, command }: OwnWork): string[] {
  if (own.kselftest !== undefined || own.path !== undefined) return [];
  if (own.script === undefined) return command.slice(0, 1);
  const [first = '', second] = own.script.startsWith('#!') ? firstWords(own.script) : [];
  if (!first.endsWith('/env')) return first === '' ? [] : [first];
  return second === undefined || second.startsWith('-') || second.includes('=') ? [first] : [first, second];
}

const firstWords = (text: string): string[] =>
  (text.slice(2, 300).split('\n', 1)[0] ?? '').split(/[ \t]/).filter((word) => word !== '');

/** A file that the suite left in its folder, as text; null when there is none. What is beyond its maximum is cut. */
export async function readResultsFile(context: AttemptContext, suite: OwnWork, name: string): Promise<string | null> {
  const path = quote(`${folderOf(context, suite)}/${name}`);
  const command = script(
    'suite-results',
    { suite: suite.name },
    `[ -f ${path} ] || exit 1; head -c ${JUNIT_MAX} ${path}`,
  );
  const result = await context.connection
    .require()
    .exec(command, { signal: context.signal, timeoutMs: 60_000, maxBytes: 2 * JUNIT_MAX });
  if (result.code === 0) return result.stdout;
  context.note(`test: ${suite.name} left no ${name}`);
  return null;
}

/** How a suite that no bundle has is started: standard error goes where its output goes, in order. */
export function ownSuiteCommand(
  context: Pick<AttemptContext, 'paths' | 'work'>,
  suite: OwnWork,
  environment: Readonly<Record<string, string>>,
): string {
  const { own } = suite;
  const folder = folderOf(context, suite);
  const variables = {
    ...environment,
    ...own.parameters,
    PEERLAB_SUITE: suite.name,
    PEERLAB_ARTIFACTS: `${folder}/${ARTIFACTS_FOLDER}`,
  };
  const assignments = Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`);
  const body = [
    `cd ${quote(folder)} || exit 127`,
    `echo $$ > ${quote(`${context.paths.folder}/suite.pid`)}`,
    ...assignments,
    `exec ${wordsOf(suite).map(quote).join(' ')} 2>&1`,
  ];
  return script('suite', { suite: suite.name, skip: '' }, body.join('\n'));
}

function wordsOf({ own, command }: OwnWork): string[] {
  if (own.kselftest !== undefined) return ['./run_kselftest.sh'];
  if (own.script !== undefined) return own.script.startsWith('#!') ? [`./${SCRIPT_FILE}`] : ['/bin/sh', SCRIPT_FILE];
  return command;
}
