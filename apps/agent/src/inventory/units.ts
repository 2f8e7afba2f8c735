import { createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../spool/segment.js';

const SALT_BYTES = 32;

/** Names a numbered thing by a digest that nobody can undo who has not the salt. */
export interface UnitNames {
  /** `SALT-DIGEST`: equal for equal numbers, and comparable where what stands before the hyphen is equal. */
  digestOf(number: string): string;
}

/** The digests of this agent, whose salt is made once and stays in its state folder. Throws when the folder cannot be written. */
export function openUnitNames(stateDir: string): UnitNames {
  const salt = openSalt(stateDir);
  const saltName = createHash('sha256').update(salt).digest('hex').slice(0, 8);
  return {
    digestOf: (number) => `${saltName}-${createHmac('sha256', salt).update(number).digest('hex').slice(0, 32)}`,
  };
}

/** A file that is damaged is replaced: digests of before then compare with none. */
function openSalt(stateDir: string): Buffer {
  const path = join(stateDir, 'inventory-salt');
  try {
    const salt = Buffer.from(readFileSync(path, 'utf8').trim(), 'hex');
    if (salt.length === SALT_BYTES) return salt;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const salt = randomBytes(SALT_BYTES);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  replaceFile(path, salt.toString('hex'));
  return salt;
}
