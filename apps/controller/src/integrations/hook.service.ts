import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import type { HookAnswer } from '@peerlab/contracts';
import { z } from 'zod';
import { SETTINGS, SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import type { ForgeHookSetting, GenericHookSetting, HookSetting } from '../platform/hooks-file.js';
import { Sql } from '../platform/database/sql.js';
import { invalidInput, ProblemError } from '../platform/http/problem.js';
import { authenticate, badSignature, mayBeAuthentic } from './authenticate.js';
import { DeliveryLog, type Delivery } from './delivery-log.js';
import { HookBodies } from './hook-body.js';
import { HookLimit } from './hook-limit.js';
import { HookRuns, type HookOrder } from './hook-runs.js';
import { readPayload } from './payload.js';
import { templateOf } from './reports/report-store.js';
import { needsApproval, ruleFor } from './rules.js';
import type { HookEvent } from './sources/hook-source.js';
import { HOOK_SOURCES } from './sources/registry.js';

type EventOf<K extends HookEvent['kind']> = Extract<HookEvent, { kind: K }>;

/** Webhooks that start runs from templates: known, authentic, fresh, and acted upon once. */
@Injectable()
export class HookService {
  readonly #hooks: ReadonlyMap<string, HookSetting> | null;
  readonly #sql: Sql;
  readonly #runs: HookRuns;
  readonly #deliveries: DeliveryLog;
  readonly #bodies = new HookBodies();
  readonly #limit = new HookLimit();

  constructor(@Inject(SETTINGS_TOKEN) settings: Settings, sql: Sql, runs: HookRuns, deliveries: DeliveryLog) {
    this.#hooks = settings.hooks === null ? null : new Map(settings.hooks.map((hook) => [hook.name, hook]));
    this.#sql = sql;
    this.#runs = runs;
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
    if (!mayBeAuthentic(headers)) throw badSignature();
    const body = await this.#bodies.read(request);
    const { hook, id, digest } = authenticate(this.#hooks.get(name) ?? null, headers, body, Date.now());
    if (!this.#limit.take(hook.name)) {
      throw new ProblemError(429, 'too-many-deliveries', `the hook "${hook.name}" delivered too often`, {
        detail: 'send it again in some minutes',
      });
    }
    const delivery: Delivery = { source: hook.name, id, digest };
    try {
      return await this.#act(hook, delivery, HOOK_SOURCES[hook.kind].read(headers, readPayload(body)));
    } catch (error) {
      throw error instanceof z.ZodError ? invalidInput('body', error) : error;
    }
  }

  async #act(hook: HookSetting, delivery: Delivery, event: HookEvent): Promise<HookAnswer> {
    if (event.kind === 'none') return this.#ignore(delivery, event.detail);
    if (hook.kind === 'generic') {
      if (event.kind !== 'request') throw new Error(`a generic hook read the event ${event.kind}`);
      return this.#request(hook, delivery, event);
    }
    switch (event.kind) {
      case 'change':
        return this.#change(hook, delivery, event);
      case 'command':
        return this.#command(hook, delivery, event);
      case 'again':
        return this.#again(hook, delivery, event);
      case 'request':
        throw new Error(`the hook ${hook.name} of a forge read a request`);
    }
  }

  async #request(hook: GenericHookSetting, delivery: Delivery, event: EventOf<'request'>): Promise<HookAnswer> {
    const { template, commit, build } = event.request;
    if (!hook.templates.includes(template)) {
      throw new ProblemError(
        403,
        'template-not-allowed',
        `the hook "${hook.name}" may not run the template "${template}"`,
        {
          detail: `it may run ${hook.templates.join(', ')}; add others to its templates in the hooks file`,
        },
      );
    }
    const asked = { template, commit, build, repository: null, number: null };
    return this.#runs.startOnce({ hook, asked, mbox: event.mbox, detail: event.detail, fork: null }, delivery);
  }

  async #change(hook: ForgeHookSetting, delivery: Delivery, event: EventOf<'change'>): Promise<HookAnswer> {
    const { change, detail } = event;
    const { repository, commit, number, fork } = change;
    checkRepository(hook, repository);
    const rule = ruleFor(hook.rules, change);
    if (rule === null) return this.#ignore(delivery, `${detail}: no rule of the hook fits`);
    const asked = { template: rule.template, build: rule.build ?? null, commit, repository, number };
    const order: HookOrder = { hook, asked, mbox: null, detail, fork };
    return needsApproval(hook.people, change)
      ? this.#runs.hold(order, delivery)
      : this.#runs.startOnce(order, delivery);
  }

  /** A comment: only listed people are heard, and a commit of a fork has to be named in full. */
  async #command(hook: ForgeHookSetting, delivery: Delivery, event: EventOf<'command'>): Promise<HookAnswer> {
    const { repository, number, by, commit, detail } = event;
    checkRepository(hook, repository);
    if (!hook.people.includes(by.toLowerCase()))
      return this.#ignore(delivery, `${detail}: not one of the people of the hook "${hook.name}"`);
    const { name: source } = hook;
    const found = await this.#deliveries.newestOfRequest(this.#sql, { source, repository, number, commit });
    if (found?.asked == null) {
      const what = commit === null ? 'no commit of this request has' : 'that commit has not';
      return this.#ignore(delivery, `${detail}: ${what} been delivered and fitted a rule`);
    }
    if (found.fork !== null && commit === null)
      return this.#ignore(delivery, `${detail}: the commit is of a fork; name it in full: /peerlab test COMMIT`);
    return this.#runs.startAgain(
      { hook, asked: found.asked, mbox: null, detail: `${detail} for ${found.asked.commit ?? ''}`, fork: found.fork },
      { delivery },
      { source, deliveryId: found.delivery_id },
    );
  }

  /** A check that somebody repeats at the forge; only what ran before runs again. */
  async #again(hook: ForgeHookSetting, delivery: Delivery, event: EventOf<'again'>): Promise<HookAnswer> {
    const { repository, commit, context, detail } = event;
    checkRepository(hook, repository);
    const template = templateOf(context);
    const found =
      template === null
        ? null
        : await this.#deliveries.newestOfCommit(this.#sql, { source: hook.name, repository, commit, template });
    if (found?.asked == null) return this.#ignore(delivery, `${detail}: it has not run`);
    return this.#runs.startAgain(
      { hook, asked: found.asked, mbox: null, detail, fork: found.fork },
      { delivery },
      null,
    );
  }

  async #ignore(delivery: Delivery, detail: string): Promise<HookAnswer> {
    await this.#sql.transaction((tx) =>
      this.#deliveries.note(tx, delivery, 'ignored', { detail, fork: null, asked: null }),
    );
    await this.#deliveries.forgetOld();
    return { status: 'ignored', runId: null, detail };
  }
}

function checkRepository({ name, rules }: ForgeHookSetting, repository: string): void {
  if (rules.some((rule) => rule.repository === repository)) return;
  throw new ProblemError(403, 'other-repository', `the hook "${name}" does not speak for ${repository.slice(0, 200)}`, {
    detail: 'add a rule for it to the hook in the hooks file',
  });
}
