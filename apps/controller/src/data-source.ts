import { log } from '@peerlab/runtime';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { Artifact, ArtifactFolderRow, Build, Bundle } from './schema/builds.js';
import { Attempt, Participant, ControllerRow, Lease } from './schema/attempts.js';
import { Agent, CombinationRow, Machine, MachineChangeRow, MachineInventory, MachinePath } from './schema/fleet.js';
import { HealthCheckRow, SuspectAttemptRow } from './schema/health.js';
import { ReservationRow } from './schema/reservations.js';
import { TerminalOutput, TerminalRow } from './schema/terminals.js';
import { ForgeReport, WebhookDelivery } from './schema/integrations.js';
import { LogLineRow, Stream } from './schema/logs.js';
import { Initial1763800000000 } from './migrations/1763800000000-initial.js';
import { TestSlots1763809200000 } from './migrations/1763809200000-test-slots.js';
import { Leases1763822700000 } from './migrations/1763822700000-leases.js';
import { Retention1763823600000 } from './migrations/1763823600000-retention.js';
import { Grid1763829000000 } from './migrations/1763829000000-grid.js';
import { OverTime1763830800000 } from './migrations/1763830800000-over-time.js';
import { Desk1763831400000 } from './migrations/1763831400000-desk.js';
import { BuildName1764050000000 } from './migrations/1764050000000-build-name.js';
import { BuildGrid1764100000000 } from './migrations/1764100000000-build-grid.js';
import { ForgeReports1767100000000 } from './migrations/1767100000000-forge-reports.js';
import { Live1764200000000 } from './migrations/1764200000000-live.js';
import { Ownership1764300000000 } from './migrations/1764300000000-ownership.js';
import { Shares1764400000000 } from './migrations/1764400000000-shares.js';
import { AgentOnline1764500000000 } from './migrations/1764500000000-agent-online.js';
import { UnpackedAttempts1764600000000 } from './migrations/1764600000000-unpacked-attempts.js';
import { ArtifactFolder1764700000000 } from './migrations/1764700000000-artifact-folder.js';
import { SeriesAsData1764800000000 } from './migrations/1764800000000-series-as-data.js';
import { Repeat1765100000000 } from './migrations/1765100000000-repeat.js';
import { RunFilters1765200000000 } from './migrations/1765200000000-run-filters.js';
import { OpenJobs1765300000000 } from './migrations/1765300000000-open-jobs.js';
import { MachineChanges1765400000000 } from './migrations/1765400000000-machine-changes.js';
import { Participants1766200000000 } from './migrations/1766200000000-participants.js';
import { FailureMemory1765410000000 } from './migrations/1765410000000-failure-memory.js';
import { AttemptFailures1766100000000 } from './migrations/1766100000000-attempt-failures.js';
import { BuildCommit1767000000000 } from './migrations/1767000000000-build-commit.js';
import { BuildRecipe1766100100000 } from './migrations/1766100100000-build-recipe.js';
import { DownloadTickets1766100200000 } from './migrations/1766100200000-download-tickets.js';
import { MachineAtDispatch1766300000000 } from './migrations/1766300000000-machine-at-dispatch.js';
import { Catalogue1766600000000 } from './migrations/1766600000000-catalogue.js';
import { AttemptFiles1766600100000 } from './migrations/1766600100000-attempt-files.js';
import { NewestByMachine1766900000000 } from './migrations/1766900000000-newest-by-machine.js';
import { JobRoles1766700000000 } from './migrations/1766700000000-job-roles.js';
import { JobPart1766700100000 } from './migrations/1766700100000-job-part.js';
import { Baselines1767200100000 } from './migrations/1767200100000-baselines.js';
import { MachineChecks1767450000000 } from './migrations/1767450000000-machine-checks.js';
import { Terminals1767714830000 } from './migrations/1767714830000-terminals.js';
import { PathPrediction1767801230000 } from './migrations/1767801230000-path-prediction.js';
import { MachineCheckRuns1767888640000 } from './migrations/1767888640000-machine-check-runs.js';
import { DriverBuilds1767975000000 } from './migrations/1767975000000-driver-builds.js';
import { BundleDigest1768061400000 } from './migrations/1768061400000-bundle-digest.js';
import { Reservations1767714820000 } from './migrations/1767714820000-reservations.js';
import { MachineHealth1767512340000 } from './migrations/1767512340000-machine-health.js';
import { HardwareAlarms1767512350000 } from './migrations/1767512350000-hardware-alarms.js';
import { Meetings1766800000000 } from './migrations/1766800000000-meetings.js';
import { ParticipantClock1766800100000 } from './migrations/1766800100000-participant-clock.js';
import { Meeting } from './schema/meetings.js';
import { Crashes1767200000000 } from './migrations/1767200000000-crashes.js';
import { CallSources1767631420000 } from './migrations/1767631420000-call-sources.js';
import { CallSourceRow, CrashRow, CrashSearchRow, HardwareAlarmRow } from './schema/crashes.js';
import { BaselineFailureRow, BaselineRow, KnownFailureRow } from './schema/failures.js';
import { DownloadTicket, Token } from './schema/tokens.js';
import { Change } from './schema/changes.js';
import { POOL_OPTIONS, typeormOptions, type DatabaseAddress } from './platform/database/connection.js';
import { lockSession, unlockSession } from './platform/database/locks.js';
import { SnakeNaming } from './platform/database/naming.js';
import { RetentionDeletion, RunPin, Storage } from './schema/retention.js';
import {
  AttemptFile,
  AttemptKernel,
  AttemptStage,
  AttemptVerdicts,
  Measurement,
  PlannedTest,
  Result,
  TestPlan,
  UnpackedAttempt,
} from './schema/results.js';
import { Job, JobRole, Run } from './schema/runs.js';

/** Connections of the one pool that repositories and statements share. */
const POOL_SIZE = 16;

/** Everything TypeORM knows: entities of all features and the migrations in order. */
export function dataSourceOptions(address: DatabaseAddress): DataSourceOptions {
  return {
    type: 'postgres',
    ...typeormOptions(address),
    entities: [
      Token,
      DownloadTicket,
      Agent,
      Machine,
      CombinationRow,
      MachinePath,
      MachineInventory,
      MachineChangeRow,
      Artifact,
      ArtifactFolderRow,
      Bundle,
      Build,
      Run,
      Job,
      JobRole,
      Attempt,
      Participant,
      Lease,
      ControllerRow,
      Meeting,
      AttemptStage,
      AttemptKernel,
      PlannedTest,
      Result,
      Measurement,
      AttemptFile,
      TestPlan,
      AttemptVerdicts,
      UnpackedAttempt,
      Stream,
      LogLineRow,
      CrashRow,
      CrashSearchRow,
      CallSourceRow,
      HardwareAlarmRow,
      HealthCheckRow,
      SuspectAttemptRow,
      ReservationRow,
      TerminalRow,
      TerminalOutput,
      WebhookDelivery,
      ForgeReport,
      RunPin,
      RetentionDeletion,
      KnownFailureRow,
      BaselineRow,
      BaselineFailureRow,
      Storage,
      Change,
    ],
    migrations: [
      Initial1763800000000,
      TestSlots1763809200000,
      Leases1763822700000,
      Retention1763823600000,
      Grid1763829000000,
      OverTime1763830800000,
      Desk1763831400000,
      BuildName1764050000000,
      BuildGrid1764100000000,
      ForgeReports1767100000000,
      Live1764200000000,
      Ownership1764300000000,
      Shares1764400000000,
      AgentOnline1764500000000,
      UnpackedAttempts1764600000000,
      ArtifactFolder1764700000000,
      SeriesAsData1764800000000,
      Repeat1765100000000,
      RunFilters1765200000000,
      OpenJobs1765300000000,
      MachineChanges1765400000000,
      FailureMemory1765410000000,
      AttemptFailures1766100000000,
      BuildRecipe1766100100000,
      BuildCommit1767000000000,
      DownloadTickets1766100200000,
      Participants1766200000000,
      MachineAtDispatch1766300000000,
      Catalogue1766600000000,
      AttemptFiles1766600100000,
      NewestByMachine1766900000000,
      JobRoles1766700000000,
      JobPart1766700100000,
      MachineChecks1767450000000,
      Meetings1766800000000,
      ParticipantClock1766800100000,
      Crashes1767200000000,
      Baselines1767200100000,
      CallSources1767631420000,
      MachineHealth1767512340000,
      HardwareAlarms1767512350000,
      Reservations1767714820000,
      Terminals1767714830000,
      PathPrediction1767801230000,
      MachineCheckRuns1767888640000,
      DriverBuilds1767975000000,
      BundleDigest1768061400000,
    ],
    migrationsTableName: 'schema_migration',
    namingStrategy: new SnakeNaming(),
    poolSize: POOL_SIZE,
    extra: POOL_OPTIONS,
    logging: false,
    // Without a listener a lost idle connection would end the process.
    poolErrorHandler: (err: unknown) => log.warn({ err }, 'database-connection-lost'),
  };
}

/** Brings the schema up to date; several controllers starting at once take turns. Returns the names applied. */
export async function migrate(address: DatabaseAddress): Promise<string[]> {
  const dataSource = await new DataSource(dataSourceOptions(address)).initialize();
  try {
    const lock = dataSource.createQueryRunner();
    await lockSession(lock, 'migration');
    try {
      const applied = await dataSource.runMigrations({ transaction: 'all' });
      return applied.map(({ name }) => name);
    } finally {
      await unlockSession(lock, 'migration');
      await lock.release();
    }
  } finally {
    await dataSource.destroy();
  }
}
