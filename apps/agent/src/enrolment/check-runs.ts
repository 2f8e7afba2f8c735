import { mkdirSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { cleanText, MACHINE_CHECK_BY_MAX, MACHINE_CHECK_RUNS_MAX, MachineCheckRun } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { z } from 'zod';
import { replaceFile } from '../spool/segment.js';

/** What people checked of the agent's machines: this program writes it, the agent reads it and tells the controller. */

const Runs = z.array(MachineCheckRun).max(MACHINE_CHECK_RUNS_MAX);

const folderOf = (stateDir: string): string => join(stateDir, 'checks');
const fileOf = (stateDir: string, machine: string): string => join(folderOf(stateDir), `${machine}.json`);

/**
 * The runs of `peerlab machine` that are kept of a machine, newest first. A file that cannot be read counts as none: what
 * people see of it is lost, and no job depends on it.
 */
export function readCheckRuns(stateDir: string, machine: string): MachineCheckRun[] {
  let text: string;
  try {
    text = readFileSync(fileOf(stateDir, machine), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn({ machine, err: error }, 'check-runs-unreadable');
    return [];
  }
  try {
    return Runs.parse(JSON.parse(text));
  } catch (error) {
    log.warn({ machine, err: error }, 'check-runs-malformed');
    return [];
  }
}

/** Keeps a run beside the newest one that acted: a look without --act does not replace what was proven. Throws SpoolFault. */
export function keepCheckRun(stateDir: string, machine: string, run: MachineCheckRun): void {
  const proven = run.acted ? undefined : readCheckRuns(stateDir, machine).find(({ acted }) => acted);
  mkdirSync(folderOf(stateDir), { recursive: true, mode: 0o700 });
  replaceFile(fileOf(stateDir, machine), JSON.stringify(proven === undefined ? [run] : [run, proven]));
}

/** Who runs this program: the account that called sudo, where that did, else its own. */
export function whoRuns(environment: NodeJS.ProcessEnv = process.env): string {
  return cleanText(environment['SUDO_USER'] ?? '', MACHINE_CHECK_BY_MAX) || ownAccount();
}

function ownAccount(): string {
  try {
    return cleanText(userInfo().username, MACHINE_CHECK_BY_MAX) || 'unknown';
  } catch {
    // An account without an entry in /etc/passwd, as in a container.
    return `account ${process.geteuid?.() ?? 'unknown'}`;
  }
}
