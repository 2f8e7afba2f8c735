import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openPlainFile } from '../archive/index.js';
import { buildAccount } from '../sandbox/account.js';
import type { Artifacts } from './artifacts.js';
import { sandboxLimits } from './build-limits.js';
import { removeScratch } from './builder-cache.js';
import type { BuildScriptEnd, BuildScriptHandlers } from './build-script.js';
import { JobFailure } from './failure.js';
import { KernelBuilder, type KernelBuilderSettings } from './kernel-builder.js';
import { ScriptFailed } from './script-failed.js';
import { makeScratchFolder } from './scratch-folder.js';
import { ToolSandbox } from './tool-sandbox.js';

/** What a configuration for one machine is made of. */
export interface MachineNeeds {
  /** What machine-needs.sh printed there. */
  needs: string;
  machine: string;
  /** The name that runs will use. */
  name: string;
  /** Keeps the modules that the machine has no use for, too. */
  allModules: boolean;
}

export interface MachineConfiguration {
  text: string;
  /** What a kernel of it has otherwise than the machine's own, in the form of the kernel's scripts/diffconfig. */
  differences: string[];
  /** What peer-to-peer needs of some hardware and a kernel of it does not have. */
  off: SettingOff[];
}

export interface SettingOff {
  /** `CONFIG_…` */
  setting: string;
  why: string;
}

/** The kernel's configuration program is compiled for it; it takes half a minute on an idle computer. */
const CONFIGURE_MS = 15 * 60_000;
/** Debian's, with every module, has 260 KB. */
const CONFIGURATION_MAX_BYTES = 2 * 1024 ** 2;
const DIFFERENCES_MAX = 5000;
/** ` NAME m -> y`, `+NAME y`, `-NAME y` */
const DIFFERENCE = /^[ +-][A-Z0-9_a-z]{1,100} /;
const OFF = /^@off (CONFIG_[A-Z0-9_]{1,100}) ([ -~]{1,200})$/;
/** machine-config.sh knows half a dozen. */
const OFF_MAX = 64;

const notAsked = (): Promise<never> => Promise.reject(new Error('a configuration needs nothing of the controller'));
const NO_STORE: Artifacts = { download: notAsked, upload: notAsked, findBundle: notAsked };

/**
 * Makes a kernel configuration out of what a machine said of itself, by the kernel's own tools. They run in a sandbox: that
 * machine may have run what a stranger submitted. Needs no lock of the builder's cache, as a base tree is never written to.
 * Rejects with JobFailure.
 */
export async function configureForMachine(
  settings: Omit<KernelBuilderSettings, 'artifacts'>,
  { needs, machine, name, allModules }: MachineNeeds,
  onProgress: BuildScriptHandlers['onProgress'],
  signal: AbortSignal,
): Promise<MachineConfiguration> {
  const folder = await makeScratchFolder(join(settings.cacheDir, 'agent', 'builds'));
  const differences: string[] = [];
  const off: SettingOff[] = [];
  const handlers: BuildScriptHandlers = {
    onProgress,
    onLine: (line, continues) => {
      if (continues) return;
      const [, setting = '', why] = OFF.exec(line) ?? [];
      if (why !== undefined && off.length < OFF_MAX) off.push({ setting, why });
      if (DIFFERENCE.test(line) && differences.length < DIFFERENCES_MAX) differences.push(line);
    },
  };
  try {
    const builder = await KernelBuilder.open({ ...settings, artifacts: NO_STORE }, folder, handlers, signal);
    if (builder.noSandbox !== null) throw new JobFailure('infrastructure', builder.noSandbox);
    const base = await builder.fetchBase(null).catch((error: unknown) => {
      throw error instanceof ScriptFailed ? failed(error.script, error.end) : error;
    });
    // Of the fetch, should it print something alike.
    differences.length = 0;
    off.length = 0;
    const sandbox = new ToolSandbox(buildAccount(), folder, handlers, signal);
    const [input, out] = [join(folder, 'needs'), join(folder, 'configured')];
    await writeFile(input, needs);
    await chmod(input, 0o644);
    await sandbox.ownFolder(out);
    const end = await sandbox.run({
      script: 'exec /farm/kernel/scripts/machine-config.sh --base /base --needs /needs --out /out "$@"',
      arguments: ['--name', name, '--machine', machine, ...(allModules ? ['--all-modules'] : [])],
      environment: {},
      readOnly: [
        { from: join(folder, 'kernel'), to: '/farm/kernel' },
        { from: base, to: '/base' },
        { from: input, to: '/needs' },
      ],
      writable: [{ from: out, to: '/out' }],
      network: false,
      limits: sandboxLimits(settings.limits),
      timeoutMs: CONFIGURE_MS,
      what: 'making the configuration',
    });
    if (end.error !== null || end.code !== 0) throw failed('machine-config.sh', end);
    return { text: await readPlain(join(out, `${name}.config`)), differences, off };
  } finally {
    await removeScratch(folder);
  }
}

function failed(script: string, { error, code, lastStderrLine }: BuildScriptEnd): JobFailure {
  const remedy = error?.class === 'infrastructure' && error.remedy !== undefined ? `; ${error.remedy}` : '';
  const why = error?.detail ?? lastStderrLine ?? 'no output';
  return new JobFailure('infrastructure', `${script} exited with ${code ?? 'a signal'}: ${why}${remedy}`);
}

/** A file that the sandbox wrote: whatever it is, no more is read than a configuration has. */
async function readPlain(path: string): Promise<string> {
  const file = await openPlainFile(path);
  try {
    const { size } = await file.stat();
    if (size <= CONFIGURATION_MAX_BYTES) return await file.readFile('utf8');
    throw new JobFailure('harness', `the configuration has ${size} bytes, ${CONFIGURATION_MAX_BYTES} at most`);
  } finally {
    await file.close();
  }
}
