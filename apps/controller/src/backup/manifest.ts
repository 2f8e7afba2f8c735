import { Sha256 } from '@peerlab/contracts';
import { z } from 'zod';

const Count = z.number().int().nonnegative();

/** Describes a backup. Written last: a folder without it is not a backup. */
export const BackupManifest = z.object({
  schema: z.literal(1),
  /** Time of the snapshot, from the database's clock. */
  takenAt: z.iso.datetime(),
  /** Migrations that the tables are the result of. */
  migrations: z.array(z.string()),
  /** In an order in which they can be filled: tables that others refer to come first. */
  tables: z.array(z.object({ name: z.string().regex(/^[a-z_]+$/), columns: z.array(z.string()), rows: Count })),
  sequences: z.array(z.object({ name: z.string().regex(/^[a-z_]+$/), value: Count })),
  artifacts: z.array(z.object({ sha256: Sha256, sizeBytes: Count })),
});
export type BackupManifest = z.infer<typeof BackupManifest>;

export const MANIFEST_FILE = 'manifest.json';
/** Rows of a table as COPY writes them, compressed. */
export const tableFile = (name: string): string => `tables/${name}.copy.gz`;
/** Shared by all backups in one folder: artifacts never change. */
export const artifactFile = (sha256: string): string => `artifacts/${sha256.slice(0, 2)}/${sha256}`;
/** The part of a backup that is its own, by the time it was taken. */
export const backupFolder = (takenAt: string): string => takenAt.replaceAll(':', '-');
