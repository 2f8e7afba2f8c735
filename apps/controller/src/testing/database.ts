import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';
import { pgOptions, type DatabaseAddress } from '../platform/database/connection.js';

const TEMPLATE = 'peerlab';

export interface TestDatabase {
  address: DatabaseAddress;
  drop: () => Promise<void>;
}

/** A migrated, empty database of its own, cloned from the template. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const cluster = { socketDir: inject('postgresSocketDir'), port: 5432, user: 'peerlab' };
  const database = `test_${randomBytes(6).toString('hex')}`;
  const admin = async (statement: string): Promise<void> => {
    const client = new Client(pgOptions({ ...cluster, database: 'postgres' }));
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  };
  await admin(`create database ${database} template ${TEMPLATE}`);
  return { address: { ...cluster, database }, drop: () => admin(`drop database ${database} with (force)`) };
}
