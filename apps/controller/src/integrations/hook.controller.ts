import { Controller, Req } from '@nestjs/common';
import { REPORTS_SHOWN, type DeliveryPage, type HookAnswer, type HookView, type ReportView } from '@peerlab/contracts';
import type { FastifyRequest } from 'fastify';
import { Caller } from '../platform/auth/auth.guard.js';
import type { Identity } from '../platform/auth/token.service.js';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { DeliveryLog } from './delivery-log.js';
import { HookAdmin } from './hook-admin.js';
import { HookService } from './hook.service.js';
import { ReportOutbox } from './reports/report-outbox.js';
import { ReportScheduler } from './reports/report.scheduler.js';

/** The bodies of deliveries are read by the service, which parses them after it checked their signatures. */
@Controller()
export class HookController {
  readonly #hooks: HookService;
  readonly #admin: HookAdmin;
  readonly #deliveries: DeliveryLog;
  readonly #outbox: ReportOutbox;
  readonly #reports: ReportScheduler;

  constructor(
    hooks: HookService,
    admin: HookAdmin,
    deliveries: DeliveryLog,
    outbox: ReportOutbox,
    reports: ReportScheduler,
  ) {
    this.#hooks = hooks;
    this.#admin = admin;
    this.#deliveries = deliveries;
    this.#outbox = outbox;
    this.#reports = reports;
  }

  @Serve('listHooks')
  listHooks(): HookView[] {
    return this.#admin.hooks();
  }

  @Serve('listDeliveries')
  listDeliveries(@Input() { query }: InputOf<'listDeliveries'>): Promise<DeliveryPage> {
    return this.#deliveries.list(query);
  }

  @Serve('approveDelivery')
  approve(@Input() { body }: InputOf<'approveDelivery'>, @Caller() caller: Identity): Promise<HookAnswer> {
    return this.#admin.approve(body, caller.name);
  }

  @Serve('repeatDelivery')
  repeat(@Input() { body }: InputOf<'repeatDelivery'>, @Caller() caller: Identity): Promise<HookAnswer> {
    return this.#admin.repeat(body, caller.name);
  }

  @Serve('listReports')
  listReports(): Promise<ReportView[]> {
    return this.#outbox.list(REPORTS_SHOWN, this.#reports.sources);
  }

  @Serve('sendReport')
  async sendReport(@Input() { params }: InputOf<'sendReport'>): Promise<ReportView> {
    const report = await this.#outbox.sendAgain(params.report, this.#reports.sources);
    void this.#reports.tick();
    return report;
  }

  @Serve('deliverHook')
  deliverHook(@Input() { params }: InputOf<'deliverHook'>, @Req() request: FastifyRequest): Promise<HookAnswer> {
    return this.#hooks.deliver(params.hook, request.raw);
  }
}
