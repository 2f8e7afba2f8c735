import { Injectable } from '@nestjs/common';
import type { DeliveryKey, DeliveryOutcome, HookAnswer } from '@peerlab/contracts';
import type { HookSetting } from '../platform/hooks-file.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { ProblemError } from '../platform/http/problem.js';
import { RunService, type FeasibleRun } from '../runs/run.service.js';
import type { StoredOrder } from '../schema/integrations.js';
import { DeliveryLog, type Delivery } from './delivery-log.js';
import { contextOf, ReportStore, type ReportKey } from './reports/report-store.js';
import { TemplateRuns } from './template-runs.js';

/** A run that a delivery asks for. */
export interface HookOrder {
  hook: HookSetting;
  asked: StoredOrder;
  mbox: string | null;
  detail: string;
  fork: string | null;
}

/** The delivery that asks for it, or a stored one that is acted upon again, as long as it has this outcome. */
export type OrderedBy = { delivery: Delivery } | { stored: DeliveryKey; outcome: DeliveryOutcome };

/**
 * Runs that deliveries ask for. The run, the delivery's row and the report to the forge share a transaction: what could
 * not be acted upon may be sent again, and of two copies arriving together one waits for the other.
 */
@Injectable()
export class HookRuns {
  readonly #sql: Sql;
  readonly #runs: RunService;
  readonly #templates: TemplateRuns;
  readonly #deliveries: DeliveryLog;
  readonly #reports: ReportStore;

  constructor(sql: Sql, runs: RunService, templates: TemplateRuns, deliveries: DeliveryLog, reports: ReportStore) {
    this.#sql = sql;
    this.#runs = runs;
    this.#templates = templates;
    this.#deliveries = deliveries;
    this.#reports = reports;
  }

  /**
   * Starts the run of a delivery, once for a delivery and once for a commit and template. Throws ProblemError, after it
   * recorded why, when there can be no such run.
   */
  async startOnce(order: HookOrder, delivery: Delivery): Promise<HookAnswer> {
    const earlier = await this.#deliveries.started(this.#sql, delivery);
    if (earlier !== null) return duplicate(delivery, earlier.runId);
    const feasible = await this.#examine(order, delivery);
    return this.#sql.transaction(async (tx): Promise<HookAnswer> => {
      await this.#deliveries.lock(tx, delivery);
      const first = await this.#deliveries.started(tx, delivery);
      if (first !== null) return duplicate(delivery, first.runId);
      const tested = await this.#testedBy(tx, order);
      if (tested !== null) {
        const detail = `${order.detail}: this commit was given to run ${tested} before`;
        await this.#deliveries.note(tx, delivery, 'ignored', { ...order, detail });
        return { status: 'duplicate', runId: tested, detail };
      }
      return this.#store(tx, order, feasible, { delivery });
    });
  }

  /**
   * Starts a run although the commit may have had one, for somebody who asked for it.
   * @param released the delivery that brought the commit, which has the run from now on
   */
  async startAgain(order: HookOrder, by: OrderedBy, released: DeliveryKey | null): Promise<HookAnswer> {
    if ('delivery' in by) {
      const earlier = await this.#deliveries.started(this.#sql, by.delivery);
      if (earlier !== null) return duplicate(by.delivery, earlier.runId);
    }
    const feasible = await this.#examine(order, 'delivery' in by ? by.delivery : null);
    return this.#sql.transaction(async (tx): Promise<HookAnswer> => {
      await this.#deliveries.lock(tx, { source: order.hook.name });
      if ('delivery' in by) {
        const first = await this.#deliveries.started(tx, by.delivery);
        if (first !== null) return duplicate(by.delivery, first.runId);
      } else if ((await this.#deliveries.get(tx, by.stored)).outcome !== by.outcome) {
        throw new ProblemError(409, 'delivery-changed', 'somebody else has just acted upon this delivery');
      }
      return this.#store(tx, order, feasible, by, released);
    });
  }

  /** Keeps a commit of a fork until somebody approves it, and tells the forge so. */
  async hold(order: HookOrder, delivery: Delivery): Promise<HookAnswer> {
    return this.#sql.transaction(async (tx): Promise<HookAnswer> => {
      await this.#deliveries.lock(tx, delivery);
      const first = await this.#deliveries.started(tx, delivery);
      if (first !== null) return duplicate(delivery, first.runId);
      const tested = await this.#testedBy(tx, order);
      if (tested !== null) {
        const detail = `${order.detail}: this commit was given to run ${tested} before`;
        await this.#deliveries.note(tx, delivery, 'ignored', { ...order, detail });
        return { status: 'duplicate', runId: tested, detail };
      }
      const detail = `${order.detail}: waits for approval`;
      await this.#deliveries.note(tx, delivery, 'held', { ...order, detail });
      const key = keyOf(order);
      if (key !== null) {
        const text = `The commit is of ${order.fork ?? 'a fork'}. It runs when a listed person comments "/peerlab test ${key.commit}", or approves it on the admin page.`;
        await this.#reports.put(tx, key, order.asked.number, { runId: null, notice: { kind: 'held', text } });
      }
      return { status: 'held', runId: null, detail };
    });
  }

  async #store(
    tx: Queries,
    order: HookOrder,
    feasible: FeasibleRun,
    by: OrderedBy,
    released: DeliveryKey | null = null,
  ): Promise<HookAnswer> {
    const { hook, detail } = order;
    const runId = await this.#runs.store(tx, feasible, {
      kind: 'webhook',
      detail: `${hook.name}: ${detail}`,
      by: hook.name,
      submitter: null,
    });
    if ('delivery' in by) await this.#deliveries.recordStarted(tx, by.delivery, order, runId);
    else await this.#deliveries.setRun(tx, by.stored, detail, runId);
    if (released !== null) await this.#deliveries.setRun(tx, released, detail, runId);
    const key = keyOf(order);
    if (key !== null) await this.#reports.put(tx, key, order.asked.number, { runId, notice: null });
    return { status: 'started', runId, detail };
  }

  /** The run that a commit had under this template; null when it had none. */
  async #testedBy(tx: Queries, order: HookOrder): Promise<string | null> {
    const key = keyOf(order);
    return key === null ? null : ((await this.#reports.find(tx, key))?.runId ?? null);
  }

  /** The run, checked against the fleet; what is refused is recorded and told to the forge. */
  async #examine(order: HookOrder, delivery: Delivery | null): Promise<FeasibleRun> {
    try {
      return await this.#templates.examine({ ...order.asked, mbox: order.mbox });
    } catch (error) {
      if (error instanceof ProblemError && delivery !== null) await this.#refuse(order, delivery, error);
      throw error;
    }
  }

  async #refuse(order: HookOrder, delivery: Delivery, error: ProblemError): Promise<void> {
    const reason = error.detail ?? error.errors[0]?.message ?? error.message;
    await this.#sql.transaction(async (tx) => {
      await this.#deliveries.note(tx, delivery, 'refused', { ...order, detail: `${order.detail}: ${reason}` });
      const key = keyOf(order);
      // A commit that had a run keeps its report.
      if (key === null || (await this.#testedBy(tx, order)) !== null) return;
      const notice = { kind: 'refused', text: `${error.message}: ${reason}` } as const;
      await this.#reports.put(tx, key, order.asked.number, { runId: null, notice });
    });
  }
}

function keyOf({ hook, asked: { repository, commit, template } }: HookOrder): ReportKey | null {
  if (repository === null || commit === null) return null;
  return { source: hook.name, repository, commit, context: contextOf(template) };
}

const duplicate = ({ id }: Delivery, runId: string | null): HookAnswer => ({
  status: 'duplicate',
  runId,
  detail: `delivery ${id} was seen before`,
});
