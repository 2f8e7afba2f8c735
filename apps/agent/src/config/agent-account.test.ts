import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { adviceOf } from '../machine/errors.js';
import { refuseOtherAccount, requireStateDir } from './agent-account.js';
import { lockState } from './state-lock.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-test-account-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const own = process.geteuid?.() ?? 0;

it('the account of the agent may give orders beside it, before its first start and after', () => {
  refuseOtherAccount(join(folder, 'none'), own + 1);
  refuseOtherAccount(folder);
  lockState(folder);
  refuseOtherAccount(folder);
});

it('another account is told which one the agent has', () => {
  lockState(folder);
  let advice = '';
  try {
    refuseOtherAccount(folder, own + 1);
  } catch (error) {
    advice = adviceOf(error);
  }
  expect(advice).toContain(`belongs to the agent of account ${own}, and this runs as account ${own + 1}`);
  expect(advice).toContain(`sudo -u '#${own}'`);
});

it('a folder for what is recorded is made, or it is said what is in the way', () => {
  requireStateDir(join(folder, 'a/b'));
  expect(existsSync(join(folder, 'a/b'))).toBe(true);
  writeFileSync(join(folder, 'file'), '');
  let advice = '';
  try {
    requireStateDir(join(folder, 'file/b'));
  } catch (error) {
    advice = adviceOf(error);
  }
  expect(advice).toMatch(
    /^stateDir: ENOTDIR: .*; make the folder for the agent’s account: install -d -o ACCOUNT -m 700 /,
  );
});
