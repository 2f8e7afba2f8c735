import { Inject, Injectable } from '@nestjs/common';
import { GenericHook, HOOK_HEADERS, HOOK_TOLERANCE_SECONDS, type HookAnswer, type RunSpec } from '@peerlab/contracts';
import { stringify } from 'yaml';
import { z } from 'zod';
import { SETTINGS, SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { Sql } from '../platform/database/sql.js';
import { invalidInput, ProblemError } from '../platform/http/problem.js';
import { RunService, type FeasibleRun } from '../runs/run.service.js';
import { readSubmission } from '../runs/submission.js';
import { TemplateFolder } from '../runs/templates.js';
import { DeliveryLog } from './delivery-log.js';
import { readGithubEvent } from './github-event.js';
import { isSignedBy } from './signature.js';

export interface SignedRequest {
  headers: Record<string, string | string[] | undefined>;
  rawBody: Buffer;
  body: unknown;
}

const DELIVERY = z.string().regex(/^[\x21-\x7e]{1,128}$/);
/** Build of a template that takes the series of a generic hook. */
const SERIES_BUILD = 'series';

/** Webhooks that start runs from templates: signed, fresh, and acted upon once. */
@Injectable()
export class HookService {
  readonly #secret: string | null;
  readonly #sql: Sql;
  readonly #runs: RunService;
  readonly #templates: TemplateFolder;
  readonly #deliveries: DeliveryLog;

  constructor(
    @Inject(SETTINGS_TOKEN) settings: Settings,
    sql: Sql,
    runs: RunService,
    templates: TemplateFolder,
    deliveries: DeliveryLog,
  ) {
    this.#secret = settings.hookSecret;
    this.#sql = sql;
    this.#runs = runs;
    this.#templates = templates;
    this.#deliveries = deliveries;
  }

  async generic(request: SignedRequest, nowMs = Date.now()): Promise<HookAnswer> {
    const timestamp = header(request, HOOK_HEADERS.timestamp);
    this.#checkSignature(`${timestamp}.`, request, HOOK_HEADERS.signature);
    const age = Math.abs(nowMs / 1000 - Number(timestamp));
    if (!/^\d{1,12}$/.test(timestamp) || age > HOOK_TOLERANCE_SECONDS) {
      throw new ProblemError(401, 'stale-delivery', `the timestamp is off by more than ${HOOK_TOLERANCE_SECONDS} s`, {
        detail: `${HOOK_HEADERS.timestamp} takes seconds since 1970; check the sender's clock`,
      });
    }
    const delivery = deliveryOf(request, HOOK_HEADERS.delivery);
    const parsed = GenericHook.safeParse(request.body);
    if (!parsed.success) throw invalidInput('body', parsed.error);
    const { template, ref, commit, mbox } = parsed.data;
    const detail = [template, ref, commit?.slice(0, 12)].filter((part) => part !== undefined).join(' ');
    return this.#once('generic', delivery, detail, () => this.#fromTemplate(template, mbox ?? null));
  }

  async github(request: SignedRequest, template: string): Promise<HookAnswer> {
    this.#checkSignature('', request, 'x-hub-signature-256');
    const delivery = deliveryOf(request, 'x-github-delivery');
    let event: ReturnType<typeof readGithubEvent>;
    try {
      event = readGithubEvent(header(request, 'x-github-event'), request.body);
    } catch (error) {
      if (error instanceof z.ZodError) throw invalidInput('body', error);
      throw error;
    }
    if (!event.run) {
      await this.#deliveries.note('github', delivery, 'ignored', event.detail);
      return { status: 'ignored', runId: null, detail: event.detail };
    }
    return this.#once('github', delivery, event.detail, () => this.#fromTemplate(template, null));
  }

  #checkSignature(prefix: string, request: SignedRequest, name: string): void {
    if (this.#secret === null) {
      throw new ProblemError(503, 'hooks-not-configured', 'webhooks are not set up', {
        detail: `set ${SETTINGS.hookSecret.env} (or hookSecret in the configuration file) and give the sender the same secret`,
      });
    }
    const text = Buffer.concat([Buffer.from(prefix), request.rawBody]);
    if (isSignedBy(this.#secret, text, header(request, name))) return;
    throw new ProblemError(401, 'bad-signature', `${name} does not match`, {
      detail: 'the secret differs, or the body was changed on its way',
    });
  }

  /**
   * The delivery's row and the run share a transaction: a delivery that could not be acted upon may be
   * sent again, and of two copies arriving together one waits for the other.
   */
  async #once(
    source: 'generic' | 'github',
    delivery: string,
    detail: string,
    examine: () => Promise<FeasibleRun>,
  ): Promise<HookAnswer> {
    const earlier = await this.#earlierRun(source, delivery);
    if (earlier !== null) return earlier;
    let feasible: FeasibleRun;
    try {
      feasible = await examine();
    } catch (error) {
      if (error instanceof ProblemError) {
        await this.#deliveries.note(source, delivery, 'refused', `${detail}: ${error.detail ?? error.message}`);
      }
      throw error;
    }
    const runId = await this.#sql.transaction(async (tx) => {
      const first = await tx.run(
        `insert into webhook_delivery (source, delivery_id, detail) values ($1, $2, $3)
         on conflict (source, delivery_id) do update set outcome = 'started', detail = excluded.detail,
           received_at = excluded.received_at where webhook_delivery.outcome <> 'started'`,
        [source, delivery, detail],
      );
      if (first === 0) return null;
      const id = await this.#runs.store(tx, feasible, { kind: 'webhook', detail: `${source}: ${detail}` });
      await tx.run('update webhook_delivery set run_id = $3 where source = $1 and delivery_id = $2', [
        source,
        delivery,
        id,
      ]);
      return id;
    });
    if (runId !== null) return { status: 'started', runId, detail };
    const other = await this.#earlierRun(source, delivery);
    return other ?? { status: 'duplicate', runId: null, detail: `delivery ${delivery} was seen before` };
  }

  async #earlierRun(source: string, delivery: string): Promise<HookAnswer | null> {
    const row = await this.#sql.one<{ run_id: string | null }>(
      `select run_id from webhook_delivery where source = $1 and delivery_id = $2 and outcome = 'started'`,
      [source, delivery],
    );
    if (row === null) return null;
    return { status: 'duplicate', runId: row.run_id, detail: `delivery ${delivery} was seen before` };
  }

  async #fromTemplate(name: string, mbox: string | null): Promise<FeasibleRun> {
    const templates = await this.#templates.list();
    const template = templates.find((one) => one.name === name);
    if (template === undefined) {
      const known = templates.map((one) => one.name).join(', ');
      throw new ProblemError(422, 'unknown-template', `there is no template "${name}"`, {
        errors: [{ path: 'template', message: `templates are ${known || 'not set up (see PEERLAB_TEMPLATES)'}` }],
      });
    }
    if (mbox === null) return this.#runs.examine(template.yaml);
    const submitted = readSubmission(template.yaml);
    if (!submitted.ok) return this.#runs.examine(template.yaml);
    const spec = withSeries(submitted.spec, mbox, name);
    return { ...(await this.#runs.examineSpec(spec)), yaml: stringify(spec) };
  }
}

/** The spec with the text put behind what its build named `series` applies already. */
function withSeries(spec: RunSpec, mbox: string, template: string): RunSpec {
  const target = spec.builds.find(({ name, series }) => name === SERIES_BUILD && series !== undefined);
  if (target === undefined) {
    throw new ProblemError(422, 'no-series-build', `the template "${template}" takes no series`, {
      errors: [
        {
          path: 'mbox',
          message: `the template has no build named "${SERIES_BUILD}"`,
          remedy: 'leave mbox out, or name a build of the template so',
        },
      ],
    });
  }
  const builds = spec.builds.map((build) =>
    build === target ? { ...build, series: [...(build.series ?? []), { mbox }] } : build,
  );
  return { ...spec, builds };
}

function header({ headers }: SignedRequest, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}

function deliveryOf(request: SignedRequest, name: string): string {
  const parsed = DELIVERY.safeParse(header(request, name));
  if (parsed.success) return parsed.data;
  throw new ProblemError(400, 'no-delivery-id', `send an id that is unique per delivery in ${name}`);
}
