import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MachineError } from '../machine/errors.js';
import { LOCK_FILE } from './state-lock.js';

/**
 * For commands that a person gives beside an agent: what another account writes into the agent's folders, the agent
 * cannot read or replace any more, root's files above all.
 * @param own account of this process
 * @throws MachineError('settings') with the account that the agent runs as; where none has run yet, that of the folder
 */
export function refuseOtherAccount(stateDir: string, own = process.geteuid?.()): void {
  const owner = ownerOf(join(stateDir, LOCK_FILE)) ?? ownerOf(stateDir);
  if (owner === null || owner === own) return;
  throw new MachineError(
    'settings',
    `${stateDir} belongs to the agent of account ${owner}, and this runs as account ${own ?? 'unknown'}`,
    `run it as the agent’s account: sudo -u '#${owner}' …`,
  );
}

/**
 * For commands that a person gives before the agent has run for the first time: what is recorded goes there.
 * @throws MachineError('settings') where this account cannot make the folder, or not write to it
 */
export function requireStateDir(stateDir: string): void {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    accessSync(stateDir, constants.W_OK);
  } catch (error) {
    throw new MachineError(
      'settings',
      `stateDir: ${(error as Error).message}`,
      `make the folder for the agent’s account: install -d -o ACCOUNT -m 700 ${stateDir}`,
    );
  }
}

function ownerOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.uid ?? null;
}
