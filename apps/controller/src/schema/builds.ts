import type { BuildError, BuildSpec, BundleManifest, DriverBuild } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { NUMBER } from '../platform/database/bigint.js';

/** A file in the artifact store, by digest. */
@Entity('artifact')
@Index('artifact_uploader', ['uploadedBy', 'createdAt'])
export class Artifact {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'artifact_pkey' })
  sha256: string;
  @Column('bigint', { transformer: NUMBER })
  sizeBytes: number;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  createdAt: Date;
  /** When its file was removed; the row stays for the runs that name it. */
  @Column('timestamptz', { nullable: true })
  removedAt: Date | null;
  /** The first uploader, as `KIND NAME` of the token; empty where that was not recorded. */
  @Column('text', { default: '' })
  uploadedBy: string;
}

/** Made by a build of the farm, or registered by a user. The two have separate keys; see bundle-store.ts. */
export type BundleOrigin = 'build' | 'upload';

/** The one artifact folder that the controllers of the database share: one row. */
@Entity('artifact_folder')
export class ArtifactFolderRow {
  @PrimaryColumn('int', { primaryKeyConstraintName: 'artifact_folder_pkey' })
  id: number;
  /** The id that the folder itself carries, too. */
  @Column('uuid')
  folderId: string;
  /** Host and path of the controller that used it first, for people. */
  @Column('text')
  host: string;
  @Column('text')
  path: string;
}

/** A kernel bundle by its content key; many builds may share one. */
@Entity('bundle')
@Index('bundle_newest', ['createdAt', 'key'])
@Index('bundle_sha256', ['sha256'])
export class Bundle {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'bundle_pkey' })
  key: string;
  @ForeignKey(() => Artifact, { name: 'bundle_artifact_fkey' })
  @Column('text')
  sha256: string;
  @Column('jsonb')
  manifest: BundleManifest;
  @Column('text', { default: 'upload' })
  origin: BundleOrigin;
  /** The agent that built it, or the user who registered it; empty where that was not recorded. */
  @Column('text', { default: '' })
  madeBy: string;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  createdAt: Date;
}

export type BuildState = 'pending' | 'building' | 'ready' | 'failed';

/** A kernel that a run asks for. */
@Entity('build')
@Index('build_run', ['runId'])
@Index('build_newest', ['createdAt', 'id'])
@Index('build_bundle', ['bundleKey', 'createdAt'])
@Index('build_inputs', ['inputs', 'createdAt'])
export class Build {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'build_pkey' })
  id: string;
  // By name: runs know builds, and two modules must not import each other.
  @ForeignKey('Run', { name: 'build_run_fkey' })
  @Column('uuid')
  runId: string;
  @Column('int')
  position: number;
  @Column('text')
  name: string;
  @Column('jsonb')
  spec: BuildSpec;
  /** Digest of series and configuration, and how much is compiled; see build-inputs.ts. Empty where not recorded. */
  @Column('text', { default: '' })
  inputs: string;
  @Column('text', { default: '' })
  size: string;
  /** The recipe of its agent's catalogue that it was built by; null where that was not told. */
  @Column('text', { nullable: true })
  recipe: string | null;
  /** The commit that its git source was found to be; null before that, and for other sources. */
  @Column('text', { nullable: true })
  commit: string | null;
  @Column('text')
  state: BuildState;
  @ForeignKey(() => Bundle, { name: 'build_bundle_fkey' })
  @Column('text', { nullable: true })
  bundleKey: string | null;
  /** The out-of-tree drivers of its builder, each with what became of it. */
  @Column('jsonb', { default: [] })
  drivers: DriverBuild[];
  @Column('jsonb', { nullable: true })
  error: BuildError | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  createdAt: Date;
}
