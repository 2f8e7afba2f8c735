import { Controller } from '@nestjs/common';
import type { AttemptCrashes, CrashDetail, CrashList, CrashMail } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { AttemptCrashesView } from './attempt-crashes.js';
import { CrashDetailView } from './crash-detail.js';
import { CrashListView } from './crash-list.js';
import { CrashMailView } from './crash-mail.js';

@Controller()
export class CrashController {
  readonly #list: CrashListView;
  readonly #details: CrashDetailView;
  readonly #ofAttempts: AttemptCrashesView;
  readonly #mails: CrashMailView;

  constructor(list: CrashListView, details: CrashDetailView, ofAttempts: AttemptCrashesView, mails: CrashMailView) {
    this.#list = list;
    this.#details = details;
    this.#ofAttempts = ofAttempts;
    this.#mails = mails;
  }

  @Serve('listCrashes')
  listCrashes(@Input() { query }: InputOf<'listCrashes'>): Promise<CrashList> {
    return this.#list.list(query);
  }

  @Serve('getCrash')
  getCrash(@Input() { params }: InputOf<'getCrash'>): Promise<CrashDetail> {
    return this.#details.of(params.crash);
  }

  @Serve('listAttemptCrashes')
  listAttemptCrashes(@Input() { params }: InputOf<'listAttemptCrashes'>): Promise<AttemptCrashes> {
    return this.#ofAttempts.of(params.attempt);
  }

  @Serve('getCrashMail')
  getCrashMail(@Input() { params, query }: InputOf<'getCrashMail'>): Promise<CrashMail> {
    return this.#mails.of(params.attempt, params.crash, query.role ?? null);
  }
}
