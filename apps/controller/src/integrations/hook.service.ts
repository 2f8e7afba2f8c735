import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { GenericHook, type HookAnswer } from '@peerlab/contracts';
import { z } from 'zod';
import { SETTINGS, SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import type { GithubHookSetting, HookSetting } from '../platform/hooks-file.js';
import { Sql } from '../platform/database/sql.js';
import { invalidInput, ProblemError } from '../platform/http/problem.js';
import { RunService, type FeasibleRun } from '../runs/run.service.js';
import { badSignature, checkDelivery, headerOf, mayBeSigned } from './delivery-check.js';
import { DeliveryLog, type Delivery } from './delivery-log.js';
import { readGithubEvent } from './github-event.js';
import { HookBodies } from './hook-body.js';
import { HookLimit } from './hook-limit.js';
import { TemplateRuns } from './template-runs.js';

/** What a delivery asks for. */
type Request = { run: false; detail: string } | { run: true; detail: string; template: string; mbox: string | null };

/** Webhooks that start runs from templates: known, signed, fresh, and acted upon once. */
@Injectable()
export class HookService {
  readonly #hooks: ReadonlyMap<string, HookSetting> | null;
  readonly #sql: Sql;
  readonly #runs: RunService;
  readonly #templates: TemplateRuns;
  readonly #deliveries: DeliveryLog;
  readonly #bodies = new HookBodies();
  readonly #limit = new HookLimit();

  constructor(
    @Inject(SETTINGS_TOKEN) settings: Settings,
    sql: Sql,
    runs: RunService,
    templates: TemplateRuns,
    deliveries: DeliveryLog,
  ) {
    this.#hooks = settings.hooks === null ? null : new Map(settings.hooks.map((hook) => [hook.name, hook]));
    this.#sql = sql;
    this.#runs = runs;
    this.#templates = templates;
    this.#deliveries = deliveries;
  }

  /** Reads a delivery to the hook of this name, checks it, and does what it asks for. */
  async deliver(name: string, request: IncomingMessage): Promise<HookAnswer> {
    if (this.#hooks === null) {
      throw new ProblemError(503, 'hooks-not-configured', 'webhooks are not set up', {
        detail: `name a file with the hooks and their secrets in ${SETTINGS.hooksFile.env} (or hooksFile in the configuration file)`,
      });
    }
    const { headers } = request;
    if (!mayBeSigned(headers)) throw badSignature();
    const body = await this.#bodies.read(request);
    const hook = this.#hooks.get(name) ?? null;
    const signed = checkDelivery(hook, headers, body, Date.now());
    if (hook === null) throw badSignature();
    if (!this.#limit.take(hook.name)) {
      throw new ProblemError(429, 'too-many-deliveries', `the hook "${hook.name}" delivered too often`, {
        detail: 'send it again in some minutes',
      });
    }
    const delivery: Delivery = { source: hook.name, ...signed };
    const asked = readRequest(hook, headers, body);
    if (!asked.run) {
      await this.#deliveries.note(delivery, 'ignored', asked.detail);
      return { status: 'ignored', runId: null, detail: asked.detail };
    }
    return this.#once(delivery, asked.detail, () => {
      checkTemplate(hook, asked.template);
      return this.#templates.examine(asked.template, asked.mbox);
    });
  }

  /**
   * The delivery's row and the run share a transaction: a delivery that could not be acted upon may be
   * sent again, and of two copies arriving together one waits for the other.
   */
  async #once(delivery: Delivery, detail: string, examine: () => Promise<FeasibleRun>): Promise<HookAnswer> {
    const earlier = await this.#deliveries.started(this.#sql, delivery);
    if (earlier !== null) return duplicate(delivery, earlier.runId);
    let feasible: FeasibleRun;
    try {
      feasible = await examine();
    } catch (error) {
      if (error instanceof ProblemError) {
        await this.#deliveries.note(delivery, 'refused', `${detail}: ${error.detail ?? error.message}`);
      }
      throw error;
    }
    return this.#sql.transaction(async (tx): Promise<HookAnswer> => {
      await this.#deliveries.lock(tx, delivery);
      const first = await this.#deliveries.started(tx, delivery);
      if (first !== null) return duplicate(delivery, first.runId);
      const runId = await this.#runs.store(tx, feasible, {
        kind: 'webhook',
        detail: `${delivery.source}: ${detail}`,
        by: delivery.source,
        submitter: null,
      });
      await this.#deliveries.recordStarted(tx, delivery, detail, runId);
      return { status: 'started', runId, detail };
    });
  }
}

const duplicate = ({ id }: Delivery, runId: string | null): HookAnswer => ({
  status: 'duplicate',
  runId,
  detail: `delivery ${id} was seen before`,
});

/** Parses a body whose signature is right; throws ProblemError 422 when it is not what it has to be. */
function readRequest(hook: HookSetting, headers: IncomingHttpHeaders, body: Buffer): Request {
  const value = parseJson(body);
  if (hook.kind === 'github') return readGithubRequest(hook, headerOf(headers, 'x-github-event'), value);
  const parsed = GenericHook.safeParse(value);
  if (!parsed.success) throw invalidInput('body', parsed.error);
  const { template, ref, commit, mbox } = parsed.data;
  const detail = [template, ref, commit?.slice(0, 12)].filter((part) => part !== undefined).join(' ');
  return { run: true, detail, template, mbox: mbox ?? null };
}

function readGithubRequest(
  { name, repositories, templates }: GithubHookSetting,
  event: string,
  value: unknown,
): Request {
  try {
    const { run, detail, repository } = readGithubEvent(event, value);
    const [template = ''] = templates;
    if (run && !repositories.includes(repository)) {
      throw new ProblemError(403, 'other-repository', `the hook "${name}" does not speak for ${repository}`, {
        detail: 'add it to the repositories of the hook in the hooks file',
      });
    }
    return run ? { run, detail, template, mbox: null } : { run, detail };
  } catch (error) {
    if (error instanceof z.ZodError) throw invalidInput('body', error);
    throw error;
  }
}

function checkTemplate({ name, templates }: HookSetting, template: string): void {
  if (templates.includes(template)) return;
  throw new ProblemError(403, 'template-not-allowed', `the hook "${name}" may not run the template "${template}"`, {
    detail: `it may run ${templates.join(', ')}; add others to its templates in the hooks file`,
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new ProblemError(422, 'invalid-input', 'the body is not JSON', {
      detail: 'send application/json (a GitHub webhook has this as its content type)',
    });
  }
}
