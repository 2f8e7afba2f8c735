/**
 * The rooms of the controller: each is a folder, a Nest module and the one owner of its tables. A room imports
 * platform, schema and the rooms named here, never the reverse; it writes no table of another room, but calls
 * the service that the owner's module exports, in the same transaction. Reading any table is allowed.
 * rooms.test.ts holds the sources and the lint rules against this table.
 */
export interface Room {
  /** Tables that only this room's statements write. */
  tables: readonly string[];
  /** Rooms that it may import, all of them below it. */
  imports: readonly string[];
}

export const ROOMS: Readonly<Record<string, Room>> = {
  platform: { tables: ['token', 'download_ticket', 'change'], imports: [] },
  fleet: {
    tables: ['agent', 'machine', 'machine_path', 'machine_inventory', 'machine_change', 'combination'],
    imports: [],
  },
  reservations: { tables: ['reservation', 'terminal', 'terminal_output'], imports: ['fleet'] },
  builds: { tables: ['artifact', 'artifact_folder', 'bundle', 'build'], imports: [] },
  storage: { tables: ['storage'], imports: [] },
  coverage: { tables: [], imports: ['builds'] },
  attempts: { tables: ['attempt', 'participant', 'lease', 'stream', 'attempt_stage', 'attempt_kernel'], imports: [] },
  meetings: { tables: ['meeting'], imports: ['attempts'] },
  logs: { tables: ['log_line'], imports: ['attempts'] },
  crashes: { tables: ['crash', 'crash_search', 'call_source', 'hardware_alarm'], imports: ['fleet', 'logs'] },
  verdicts: {
    tables: [
      'result',
      'planned_test',
      'measurement',
      'attempt_file',
      'attempt_verdicts',
      'test_plan',
      'unpacked_attempt',
    ],
    imports: ['attempts'],
  },
  grid: { tables: [], imports: ['verdicts'] },
  trends: { tables: [], imports: ['verdicts', 'grid'] },
  compare: { tables: [], imports: ['verdicts', 'grid'] },
  failures: { tables: ['known_failure', 'baseline', 'baseline_failure'], imports: [] },
  runs: { tables: ['run', 'job', 'job_role'], imports: ['fleet', 'builds', 'storage', 'attempts'] },
  dispatch: {
    tables: ['controller'],
    imports: ['fleet', 'builds', 'storage', 'attempts', 'logs', 'crashes', 'verdicts', 'runs'],
  },
  'machine-health': { tables: ['health_check', 'suspect_attempt'], imports: ['fleet', 'runs'] },
  integrations: {
    tables: ['webhook_delivery', 'forge_report'],
    imports: ['fleet', 'grid', 'runs'],
  },
  retention: {
    tables: ['run_pin', 'retention_deletion'],
    imports: ['builds', 'storage', 'attempts', 'logs', 'crashes', 'verdicts', 'runs', 'machine-health', 'integrations'],
  },
  channels: { tables: [], imports: ['fleet', 'reservations', 'attempts', 'meetings', 'logs', 'dispatch'] },
  /** Copies all tables; nothing else of the farm runs beside a restore. */
  backup: { tables: [], imports: ['builds'] },
};

/** Folders that are no rooms: entities, migrations, and what tests need. */
export const OTHER_FOLDERS = ['schema', 'migrations', 'testing'] as const;

/** Whether a room may import another one. */
export function mayImport(room: string, other: string): boolean {
  return (
    room === other || other === 'schema' || other === 'platform' || (ROOMS[room]?.imports.includes(other) ?? false)
  );
}

/** What .oxlintrc.json says about the imports of a room; tests may reach farther. */
export function lintOverride(room: string): object {
  const banned = [...Object.keys(ROOMS), ...OTHER_FOLDERS].filter((other) => !mayImport(room, other));
  return {
    files: [`apps/controller/src/${room}/**`],
    excludeFiles: ['**/*.test.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: [
                '@peerlab/agent',
                '@peerlab/web',
                '@peerlab/cli',
                '@peerlab/infra',
                ...banned.map((other) => `**/${other}/**`),
              ],
              message: `rooms.ts says what ${room} may import`,
            },
          ],
        },
      ],
    },
  };
}
