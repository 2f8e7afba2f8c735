import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SettingError } from '../platform/setting-error.js';
import { startServer, type RunningServer } from '../server.js';
import { TestFarm } from '../testing/farm.js';
import { TestSql } from '../testing/test-sql.js';
import { FOLDER_ID_FILE } from './artifact-store.js';

const content = Buffer.from('a kernel');
const sha256 = createHash('sha256').update(content).digest('hex');

let farm: TestFarm;
let folder: string;
beforeAll(async () => {
  farm = await TestFarm.start();
  folder = await mkdtemp(join(tmpdir(), 'second-'));
});
afterAll(async () => {
  await farm.stop();
  await rm(folder, { recursive: true, force: true });
});

const idFile = (stateDir: string): string => join(stateDir, 'artifacts', FOLDER_ID_FILE);
const idOf = async (stateDir: string): Promise<string> => (await readFile(idFile(stateDir), 'utf8')).trim();
const second = (stateDir: string): Promise<RunningServer> =>
  startServer({ ...farm.settings, stateDir }, farm.database.address);

describe('a second controller on one database', () => {
  it('serves what the first one stored when they share the folder', async () => {
    expect((await farm.upload(sha256, content)).status).toBe(200);
    const replica = await farm.replica();
    const answer = await fetch(`${replica.url}/api/v1/artifacts/${sha256}`, {
      headers: { authorization: `Bearer ${farm.userToken}` },
    });
    expect([answer.status, await answer.text()]).toEqual([200, content.toString()]);
    await replica.close();
  });

  it('does not start with a folder of its own, and says what to do', async () => {
    const stateDir = join(folder, 'empty');
    const id = await idOf(farm.settings.stateDir);
    const refused = await second(stateDir).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SettingError);
    const { message } = refused as SettingError;
    expect(message).toContain(`the artifact folder ${join(stateDir, 'artifacts')} has no id`);
    expect(message).toContain(`which was first ${join(farm.settings.stateDir, 'artifacts')} on `);
    expect(message).toContain(`write ${id} into ${idFile(stateDir)}`);
    expect(message).toContain('DATABASE_URL');
    expect(existsSync(idFile(stateDir))).toBe(false);
  });

  it('does not start with the folder of another farm', async () => {
    const other = await TestFarm.start();
    const id = await idOf(other.settings.stateDir);
    await expect(second(other.settings.stateDir)).rejects.toThrow(`has the id ${id}, but the database uses`);
    await other.stop();
  });

  it('starts with a copy of the folder that carries the id', async () => {
    const stateDir = join(folder, 'empty');
    await writeFile(idFile(stateDir), `${await idOf(farm.settings.stateDir)}\n`);
    await (await second(stateDir)).close();
  });

  it('does not start when the id is damaged', async () => {
    const stateDir = join(folder, 'empty');
    await writeFile(idFile(stateDir), '');
    await expect(second(stateDir)).rejects.toThrow(/does not contain a UUID/);
  });
});

describe('a controller on an existing state folder', () => {
  it('of an older version takes the folder for its database', async () => {
    // As an older version left both: artifacts, and no id.
    await farm.server.close();
    await rm(idFile(farm.settings.stateDir));
    await withoutId();
    farm.server = await startServer(farm.settings, farm.database.address);
    expect((await farm.sql.one('select folder_id as id from artifact_folder'))?.['id']).toBe(
      await idOf(farm.settings.stateDir),
    );
    expect((await farm.request('getArtifact', { params: { sha256 } })).status).toBe(200);
  });

  it('keeps the id of the folder on a restored database', async () => {
    const id = await idOf(farm.settings.stateDir);
    await farm.server.close();
    await withoutId();
    farm.server = await startServer(farm.settings, farm.database.address);
    expect(await farm.sql.one('select folder_id as id from artifact_folder')).toEqual({ id });
  });

  it('and others that start with it agree on one id', async () => {
    await farm.server.close();
    await rm(idFile(farm.settings.stateDir));
    await withoutId();
    const [first, ...others] = await Promise.all([farm.replica(), farm.replica(), farm.replica()]);
    farm.server = first;
    expect(await farm.sql.one('select folder_id as id from artifact_folder')).toEqual({
      id: await idOf(farm.settings.stateDir),
    });
    for (const other of others) await other.close();
  });
});

/** Removes the id from the database while no controller runs on it. */
async function withoutId(): Promise<void> {
  const sql = new TestSql(farm.database.address, 1);
  await sql.run('delete from artifact_folder');
  await sql.close();
}
