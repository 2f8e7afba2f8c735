import { Inject, Injectable } from '@nestjs/common';
import type { HealthCheckKind, HealthPolicy } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { FleetService } from '../fleet/fleet.service.js';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { announce } from '../platform/database/bus.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { ProblemError } from '../platform/http/problem.js';
import { RunService, type FeasibleRun } from '../runs/run.service.js';
import { readSubmission } from '../runs/submission.js';
import { TemplateFolder } from '../runs/templates.js';
import { CheckStore, type EndedRun } from './check-store.js';
import { judgeCheck, type CheckJudgement } from './judge-check.js';
import { SuspectStore } from './suspect-store.js';

/** Checks in a row that say nothing because the lab fails, until the machine goes into quarantine. */
const IN_VAIN_MAX = 3;
/** Topics in one hint: a payload of Postgres is short. */
const TOPICS_MAX = 50;
/** Name under which the farm submits runs. */
const FARM = 'farm';

/** Why a machine is checked. */
export interface CheckReason {
  kind: HealthCheckKind;
  reason: string;
  /** Name of the token that asked for it; null = the farm itself. */
  by: string | null;
  boots: number;
}

/**
 * Checks machines with a kernel that is known to be good. A check is an ordinary run of one machine, which dispatch starts
 * as any other; this service submits it, reads what came of it, and decides what that means for the machine.
 */
@Injectable()
export class HealthService {
  readonly #sql: Sql;
  readonly #checks: CheckStore;
  readonly #suspects: SuspectStore;
  readonly #runs: RunService;
  readonly #templates: TemplateFolder;
  readonly #fleet: FleetService;
  readonly #policy: HealthPolicy;

  constructor(
    sql: Sql,
    checks: CheckStore,
    suspects: SuspectStore,
    runs: RunService,
    templates: TemplateFolder,
    fleet: FleetService,
    @Inject(SETTINGS_TOKEN) settings: Settings,
  ) {
    this.#sql = sql;
    this.#checks = checks;
    this.#suspects = suspects;
    this.#runs = runs;
    this.#templates = templates;
    this.#fleet = fleet;
    this.#policy = settings.health;
  }

  /** Ends the checks whose runs have ended, begins those that are due, and submits suspect tests again. */
  async pass(): Promise<void> {
    for (const check of await this.#checks.endedRuns(this.#sql)) await alone(check.machine, () => this.#settle(check));
    if (this.#policy.enabled) await this.#holdTroubled();
    await this.#beginDue();
    await this.#requeue();
  }

  /**
   * Begins a check that a person asks for; does nothing while one runs. Throws a 404 problem for an unknown machine and a 409
   * problem when a check cannot be planned. @param hold the machine takes nothing else until it has passed
   */
  async ask(machine: string, { reason, hold, by }: { reason: string; hold: boolean; by: string }): Promise<void> {
    const why: CheckReason = { kind: 'asked', reason, by, boots: hold ? this.#policy.boots : 1 };
    const problem = await this.#begin(machine, why, hold ? `${reason} (${by})` : null);
    if (problem !== null) {
      throw new ProblemError(409, 'no-health-check', 'the health check cannot be planned', { detail: problem });
    }
  }

  async #holdTroubled(): Promise<void> {
    const { troubleAfter } = this.#policy;
    if (troubleAfter === 0) return;
    for (const { machine } of await this.#checks.troubled(this.#sql, this.#policy)) {
      const attempts = troubleAfter === 1 ? 'an attempt' : `${troubleAfter} attempts in a row`;
      await this.#sql.transaction(async (tx) => {
        await this.#fleet.hold(tx, machine, `${attempts} on it ended as trouble of the lab`);
        await announce(tx, { type: 'changed', topics: ['machines', 'runs'] });
      });
      log.warn({ machine, attempts: troubleAfter }, 'machine-held-after-trouble');
    }
  }

  async #beginDue(): Promise<void> {
    const { boots, enabled } = this.#policy;
    // A machine that is held is always checked: else it would stay held when the setting is taken back.
    const everyHours = enabled ? this.#policy.everyHours : 0;
    for (const { machine, unproven } of await this.#checks.due(this.#sql, everyHours)) {
      const why: CheckReason =
        unproven === null
          ? { kind: 'schedule', reason: `every ${everyHours} hours`, by: null, boots: 1 }
          : { kind: 'required', reason: unproven, by: null, boots };
      await alone(machine, () => this.#beginOrSay(machine, why));
    }
  }

  /** Begins a check; why there is none stands on the machine's page, and it is tried again after a pause. */
  async #beginOrSay(machine: string, why: CheckReason): Promise<void> {
    const problem = await this.#begin(machine, why).catch((error: unknown) => {
      // Such as a storage that is full.
      if (error instanceof ProblemError) return `${error.message}: ${error.detail ?? error.code}`;
      throw error;
    });
    if (problem === null) return;
    log.warn({ machine, problem }, 'health-check-refused');
    await this.#sql.transaction(async (tx) => {
      const number = await this.#checks.open(tx, machine, why);
      if (number === null) return;
      await this.#checks.end(tx, { machine, number }, { outcome: 'refused', detail: problem });
      await announce(tx, { type: 'changed', topics: ['machines'] });
    });
  }

  /**
   * Submits the run of a check; while one runs none is added.
   * @param hold why the machine takes nothing else until it has passed; null = as it is
   * @returns why it cannot be planned, and nothing is done; or null
   */
  async #begin(machine: string, why: CheckReason, hold: string | null = null): Promise<string | null> {
    const plan = await this.#plan(machine, why.boots);
    if (typeof plan === 'string') return plan;
    await this.#sql.transaction(async (tx) => {
      if (hold !== null) await this.#fleet.hold(tx, machine, hold);
      const number = await this.#checks.open(tx, machine, why);
      if (number === null) return;
      const runId = await this.#runs.store(tx, plan, {
        kind: 'farm',
        detail: `health check of ${machine}: ${why.reason}`,
        by: why.by ?? FARM,
        submitter: null,
        purpose: 'health',
      });
      await this.#checks.setRun(tx, machine, number, runId);
    });
    return null;
  }

  /** The run of the template on one machine, or why there is none. */
  async #plan(machine: string, boots: number): Promise<FeasibleRun | string> {
    const name = this.#policy.template;
    const template = (await this.#templates.list()).find((each) => each.name === name);
    if (template === undefined) return `there is no run template ${name}; name one in health.template of the settings`;
    const submitted = readSubmission(template.yaml);
    if (!submitted.ok) return `the template ${name} is not valid: ${submitted.problems[0]?.message ?? ''}`;
    const { relation: _relation, roles: _roles, suiteMachines: _machines, ...spec } = submitted.spec;
    try {
      return await this.#runs.examineSpec({
        ...spec,
        name: `health check of ${machine}`,
        machines: { names: [machine] },
        repeat: boots,
      });
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return `the template ${name} cannot be run on it: ${error.detail ?? error.message}`;
    }
  }

  async #settle(check: EndedRun): Promise<void> {
    const judgement = await this.#judge(check);
    const { machine, number } = check;
    const isEnded = await this.#sql.transaction(async (tx) => {
      if (!(await this.#checks.end(tx, check, judgement))) return false;
      const runs = await this.#draw(tx, check, judgement);
      const topics = ['machines', 'runs', 'grid', ...runs.map((run) => `run:${run}`)];
      for (let from = 0; from < topics.length; from += TOPICS_MAX) {
        await announce(tx, { type: 'changed', topics: topics.slice(from, from + TOPICS_MAX) });
      }
      await announce(tx, { type: 'dispatch' });
      return true;
    });
    if (isEnded) log.info({ machine, number, ...judgement }, 'health-check-ended');
  }

  async #judge({ run_id: runId }: EndedRun): Promise<CheckJudgement> {
    if (runId === null) return { outcome: 'inconclusive', detail: 'its run was removed' };
    const { jobs, canceled } = await this.#checks.jobs(this.#sql, runId);
    return judgeCheck(jobs, canceled);
  }

  /** What a check means for its machine. @returns runs of which results are suspect now */
  async #draw(tx: Queries, check: EndedRun, { outcome, detail }: CheckJudgement): Promise<string[]> {
    const { machine, number, run_id: runId } = check;
    switch (outcome) {
      case 'passed':
        await this.#fleet.release(tx, machine, check.requested_at);
        return [];
      case 'failed': {
        await this.#fleet.quarantine(
          tx,
          machine,
          `health check ${runId ?? number} failed: ${detail}; mend it, then activate it`,
        );
        const goodAt = await this.#checks.goodBefore(tx, check);
        const requeue = this.#policy.requeueSuspects ? this.#policy.requeueMax : 0;
        return this.#suspects.mark(tx, { machine, number, goodAt, requeue });
      }
      case 'inconclusive': {
        const times = await this.#checks.inVain(tx, machine);
        if (times >= IN_VAIN_MAX) {
          const text = `its last ${times} health checks could not be finished: ${detail}; mend it, then activate it`;
          await this.#fleet.quarantine(tx, machine, text);
        }
        return [];
      }
      default:
        return [];
    }
  }

  async #requeue(): Promise<void> {
    for (const suspect of await this.#suspects.waiting(this.#sql)) {
      let runId: string | null = null;
      try {
        ({ id: runId } = await this.#runs.retryJob(suspect.job_id, { id: null, name: FARM }, 'farm'));
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        log.warn({ attempt: suspect.attempt_id, problem: error.detail ?? error.message }, 'suspect-not-requeued');
      }
      await this.#suspects.setRequeued(this.#sql, suspect, runId);
    }
  }
}

/** A fault with one machine is logged and does not keep the others from their checks. */
async function alone(machine: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (err) {
    log.error({ err, machine }, 'health-check-fault');
  }
}
