import { chownSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildScriptEnd, type BuildScriptHandlers, runBuildScript } from './build-script.js';
import { JobFailure } from './failure.js';
import { formatSeconds } from '../timing.js';
import type { BuildAccount } from '../sandbox/account.js';
import { type SandboxLimits, type Share, sandboxCommand } from '../sandbox/sandbox.js';
import { seccompFilter } from '../sandbox/seccomp.js';

/** What one step may see and change. */
export interface ToolStep {
  /** Shell commands; `arguments` are $1 and so on. */
  script: string;
  arguments: readonly string[];
  environment: Readonly<Record<string, string>>;
  readOnly: readonly Share[];
  writable: readonly Share[];
  /** Reaches this machine's network. */
  network: boolean;
  limits: SandboxLimits;
  /** Ended after this time, in milliseconds. */
  timeoutMs: number;
  /** What it does, for the message when it takes too long. */
  what: string;
}

/**
 * Runs programs of this machine (git, tar, binutils) on bytes of strangers: in the sandbox of builds, and with the network only where
 * a step needs it.
 */
export class ToolSandbox {
  /** Steps run as this account; null: as this process. */
  readonly account: BuildAccount | null;
  /** Of this attempt. */
  readonly folder: string;
  readonly #handlers: BuildScriptHandlers;
  readonly #signal: AbortSignal;

  /** @param folder the folder of this attempt */
  constructor(account: BuildAccount | null, folder: string, handlers: BuildScriptHandlers, signal: AbortSignal) {
    this.account = account;
    this.folder = folder;
    this.#handlers = handlers;
    this.#signal = signal;
  }

  /** @throws JobFailure `infrastructure` when it takes longer than its time, or more than its limits */
  async run(step: ToolStep): Promise<BuildScriptEnd> {
    const own = await mkdtemp(join(this.folder, 'tool-'));
    await chmod(own, 0o755);
    const [tmp, seccompFile] = [join(own, 'tmp'), join(own, 'seccomp')];
    await this.ownFolder(tmp);
    await writeFile(seccompFile, seccompFilter({ network: step.network }));
    const command = sandboxCommand(
      {
        command: ['bash', '-euo', 'pipefail', '-c', step.script, 'tool', ...step.arguments],
        cwd: '/tmp',
        environment: { HOME: '/tmp', LC_ALL: 'C.UTF-8', ...step.environment },
        readOnly: step.readOnly,
        writable: [{ from: tmp, to: '/tmp' }, ...step.writable],
        overlays: [],
        lock: null,
        limits: step.limits,
        seccompFile,
        network: step.network,
      },
      this.account,
    );
    const timeout = AbortSignal.timeout(step.timeoutMs);
    const folders = [tmp, ...step.writable.map(({ from }) => from)];
    try {
      const end = await runBuildScript(
        { command, limits: { values: step.limits, folders } },
        this.#handlers,
        AbortSignal.any([this.#signal, timeout]),
      );
      if (end.exceeded === null) return end;
      throw new JobFailure('infrastructure', `${step.what}: ${end.exceeded.replace('the build', 'it')}`);
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!timeout.aborted) throw error;
      throw new JobFailure('infrastructure', `${step.what}: not done after ${formatSeconds(step.timeoutMs)}`);
    }
  }

  /** A folder that a step may write into. */
  async ownFolder(path: string): Promise<void> {
    await mkdir(path, { recursive: true, mode: 0o755 });
    await chmod(path, 0o755);
    if (this.account !== null) chownSync(path, this.account.uid, this.account.gid);
  }
}
