import { Injectable } from '@nestjs/common';
import { MACHINE_ALARMS_MAX, type AttemptAlarms, type HardwareAlarmView } from '@peerlab/contracts';
import { columnsOf, nullable, pick, text, uuid, type RowOf } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { notFound } from '../platform/http/problem.js';
import { Participant } from '../schema/attempts.js';
import { HardwareAlarmRow } from '../schema/crashes.js';
import { Run } from '../schema/runs.js';
import { CrashStore } from './crash-store.js';

const ALARM = {
  ...pick(columnsOf(HardwareAlarmRow), 'kind', 'severity', 'title', 'times', 'stream', 'line', 'at'),
  device: nullable(text),
  ...pick(columnsOf(Participant), 'role', 'attempt_id'),
  run_id: uuid,
  run_name: columnsOf(Run).name,
};
const COLUMNS = `h.kind, h.severity, h.title, nullif(h.device, '') as device, h.times, h.stream, h.line, h.at, p.role, p.attempt_id,
  r.id as run_id, r.name as run_name`;
const FROM = `hardware_alarm h join participant p on p.id = h.participant_id join attempt t on t.id = p.attempt_id
  join job j on j.id = t.job_id join run r on r.id = j.run_id`;
/** What is to be looked at comes first. */
const URGENT = `h.severity <> 'uncorrected'`;

/** Reads what the hardware of machines told in the logs of attempts. */
@Injectable()
export class HardwareAlarmsView {
  readonly #sql: Sql;
  readonly #store: CrashStore;

  constructor(sql: Sql, store: CrashStore) {
    this.#sql = sql;
    this.#store = store;
  }

  /** Throws a 404 problem. */
  async ofAttempt(attempt: string): Promise<AttemptAlarms> {
    if (!(await this.#sql.exists('select 1 from attempt where id = $1', [attempt]))) throw notFound('attempt', attempt);
    const isOpen = await this.#sql.exists(
      `select 1 from attempt t join job j on j.id = t.job_id where t.id = $1 and t.state <> 'ended' and j.kind = 'test'`,
      [attempt],
    );
    const waiting = await this.#store.pending(attempt);
    const rows = await this.#sql.rows(
      ALARM,
      `select ${COLUMNS} from ${FROM} where p.attempt_id = $1 order by ${URGENT}, h.at, h.line`,
      [attempt],
    );
    return { alarms: rows.map(alarmView), pending: isOpen || waiting > 0 };
  }

  /** The newest ones of a machine. Throws a 404 problem. */
  async ofMachine(machine: string): Promise<HardwareAlarmView[]> {
    if (!(await this.#sql.exists('select 1 from machine where name = $1', [machine])))
      throw notFound('machine', machine);
    const rows = await this.#sql.rows(
      ALARM,
      `select ${COLUMNS} from ${FROM} where p.machine = $1 order by h.at desc, h.line desc limit $2`,
      [machine, MACHINE_ALARMS_MAX],
    );
    return rows.map(alarmView);
  }
}

function alarmView({ at, attempt_id, run_id, run_name, ...alarm }: RowOf<typeof ALARM>): HardwareAlarmView {
  return { ...alarm, at: at.toISOString(), attemptId: attempt_id, run: { id: run_id, name: run_name } };
}
