import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { log } from '@peerlab/runtime';
import { z } from 'zod';
import { columnsOf, pick } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { SettingError } from '../platform/setting-error.js';
import { ArtifactFolderRow } from '../schema/builds.js';
import { ArtifactStore, FOLDER_ID_FILE } from './artifact-store.js';

const KNOWN = pick(columnsOf(ArtifactFolderRow), 'folder_id', 'host', 'path');

/**
 * Ties the database to one artifact folder. Any number of controllers may share a database, but an artifact that one
 * of them stores has to be readable by all others: a controller with another folder would answer 404 for it. The
 * folder carries an id, the database stores the same id, and a controller starts only when they are equal.
 */
@Injectable()
export class ArtifactFolder implements OnModuleInit {
  readonly #sql: Sql;
  readonly #store: ArtifactStore;

  constructor(sql: Sql, store: ArtifactStore) {
    this.#sql = sql;
    this.#store = store;
  }

  /**
   * The first controller of a database takes its folder for the database: a new one, that of an older version, or that
   * of a restored backup. Throws SettingError when the database has another folder.
   */
  async onModuleInit(): Promise<void> {
    const path = this.#store.folder;
    await this.#sql.transaction(async (tx) => {
      // Controllers that start at the same time check one after the other.
      await tx.run('lock table artifact_folder in exclusive mode');
      const known = await tx.one(KNOWN, 'select folder_id, host, path from artifact_folder');
      const found = await this.#store.readFolderId();
      if (found !== null && !z.uuid().safeParse(found).success) throw damagedId(path);
      if (known !== null) {
        if (known.folder_id !== found) throw otherFolder(path, found, known);
        return;
      }
      const id = found ?? randomUUID();
      // Before the commit: after a crash in between the next start finds the id in the folder.
      if (found === null) await this.#store.writeFolderId(id);
      await tx.run('insert into artifact_folder (id, folder_id, host, path) values (1, $1, $2, $3)', [
        id,
        hostname(),
        path,
      ]);
      log.info({ folder: path, id }, 'artifact-folder-adopted');
    });
  }
}

const damagedId = (path: string): SettingError =>
  new SettingError(
    `PEERLAB_STATE: ${join(path, FOLDER_ID_FILE)} does not contain a UUID. Restore the file from a backup, or write ` +
      'the folder_id of the table artifact_folder into it',
  );

function otherFolder(
  path: string,
  found: string | null,
  known: Pick<ArtifactFolderRow, 'host' | 'path'> & { folder_id: string },
): SettingError {
  const file = join(path, FOLDER_ID_FILE);
  return new SettingError(
    `PEERLAB_STATE: the artifact folder ${path} ${found === null ? 'has no id' : `has the id ${found}`}, but the ` +
      `database uses the folder with the id ${known.folder_id}, which was first ${known.path} on ${known.host}. ` +
      'Artifacts in one folder are not found by a controller with another one. Controllers that share a database have ' +
      `to share that folder: mount it at ${path}, or set PEERLAB_STATE to where it is mounted. If this controller has ` +
      'a farm of its own, give it a database of its own (DATABASE_URL). If ' +
      `${path} is a complete copy of that folder and replaces it, write ${known.folder_id} into ${file}`,
  );
}
