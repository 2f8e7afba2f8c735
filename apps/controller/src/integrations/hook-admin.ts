import { Inject, Injectable } from '@nestjs/common';
import type { DeliveryKey, DeliveryOutcome, HookAnswer, HookView } from '@peerlab/contracts';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import type { HookSetting } from '../platform/hooks-file.js';
import { Sql } from '../platform/database/sql.js';
import { ProblemError } from '../platform/http/problem.js';
import type { StoredOrder } from '../schema/integrations.js';
import { DeliveryLog } from './delivery-log.js';
import { HookRuns } from './hook-runs.js';

/** What people do with hooks on the admin page. */
@Injectable()
export class HookAdmin {
  readonly #hooks: readonly HookSetting[];
  readonly #sql: Sql;
  readonly #deliveries: DeliveryLog;
  readonly #runs: HookRuns;

  constructor(@Inject(SETTINGS_TOKEN) settings: Settings, sql: Sql, deliveries: DeliveryLog, runs: HookRuns) {
    this.#hooks = settings.hooks ?? [];
    this.#sql = sql;
    this.#deliveries = deliveries;
    this.#runs = runs;
  }

  /** The hooks without their secrets. */
  hooks(): HookView[] {
    return this.#hooks.map((hook) => ({
      name: hook.name,
      kind: hook.kind,
      templates: hook.kind === 'generic' ? [...hook.templates] : [],
      rules:
        hook.kind === 'generic'
          ? []
          : hook.rules.map(({ repository, branches = null, paths = null, labels = null, template, build = null }) => ({
              repository,
              branches,
              paths,
              labels,
              template,
              build,
            })),
      people: hook.kind === 'generic' ? [] : [...hook.people],
      report:
        hook.kind === 'generic' || hook.report === null
          ? null
          : { api: hook.report.api.href, as: hook.report.app === null ? 'commit statuses' : 'check runs' },
    }));
  }

  /** Runs a commit of a fork. Throws ProblemError 404, 409 when it is not held, 422 when it cannot run. */
  async approve(key: DeliveryKey, user: string): Promise<HookAnswer> {
    return this.#act(key, `approved by ${user}`, (outcome) => {
      if (outcome === 'held') return;
      throw new ProblemError(409, 'not-held', 'the delivery does not wait for approval', {
        detail: `it is ${outcome}`,
      });
    });
  }

  /** Acts upon a delivery again. Throws ProblemError 404, 409 when it is held or not kept, 422 when it cannot run. */
  async repeat(key: DeliveryKey, user: string): Promise<HookAnswer> {
    return this.#act(key, `again for ${user}`, (outcome) => {
      if (outcome !== 'held') return;
      throw new ProblemError(409, 'held', 'the delivery waits for approval', { detail: 'approve it instead' });
    });
  }

  async #act(key: DeliveryKey, why: string, check: (outcome: DeliveryOutcome) => void): Promise<HookAnswer> {
    const stored = await this.#deliveries.get(this.#sql, key);
    check(stored.outcome);
    const { asked, outcome, fork } = stored;
    if (asked === null) {
      throw new ProblemError(409, 'not-kept', 'what the delivery asked for is not kept', {
        detail: 'it asked for nothing, or brought a series; let its sender send it again',
      });
    }
    const hook = this.#hooks.find(({ name }) => name === key.source);
    if (hook === undefined || !mayStillRun(hook, asked)) {
      throw new ProblemError(409, 'hook-changed', 'the hooks file does not allow this run any more', {
        detail: `${key.source} may not run the template "${asked.template}" for ${asked.repository ?? 'its sender'} now`,
      });
    }
    const order = { hook, asked, mbox: null, detail: `${orderText(asked)}, ${why}`, fork };
    return this.#runs.startAgain(order, { stored: key, outcome }, null);
  }
}

function mayStillRun(hook: HookSetting, { template, repository }: StoredOrder): boolean {
  if (hook.kind === 'generic') return hook.templates.includes(template);
  return hook.rules.some((rule) => rule.repository === repository && rule.template === template);
}

function orderText({ template, repository, number, commit }: StoredOrder): string {
  const of = repository === null ? template : `${repository}${number === null ? '' : `#${number}`}`;
  return commit === null ? of : `${of} at ${commit.slice(0, 12)}`;
}
