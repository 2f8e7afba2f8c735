import { Controller } from '@nestjs/common';
import type {
  AttemptAlarms,
  AttemptCrashes,
  CrashDetail,
  CrashList,
  CrashMail,
  HardwareAlarmView,
} from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../platform/http/serve.js';
import { AttemptCrashesView } from './attempt-crashes.js';
import { CrashDetailView } from './crash-detail.js';
import { CrashListView } from './crash-list.js';
import { HardwareAlarmsView } from './hardware-alarms.js';
import { CrashMailView } from './crash-mail.js';

@Controller()
export class CrashController {
  readonly #list: CrashListView;
  readonly #details: CrashDetailView;
  readonly #ofAttempts: AttemptCrashesView;
  readonly #mails: CrashMailView;
  readonly #alarms: HardwareAlarmsView;

  constructor(
    list: CrashListView,
    details: CrashDetailView,
    ofAttempts: AttemptCrashesView,
    mails: CrashMailView,
    alarms: HardwareAlarmsView,
  ) {
    this.#list = list;
    this.#details = details;
    this.#ofAttempts = ofAttempts;
    this.#mails = mails;
    this.#alarms = alarms;
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

  @Serve('listAttemptAlarms')
  listAttemptAlarms(@Input() { params }: InputOf<'listAttemptAlarms'>): Promise<AttemptAlarms> {
    return this.#alarms.ofAttempt(params.attempt);
  }

  @Serve('listMachineAlarms')
  listMachineAlarms(@Input() { params }: InputOf<'listMachineAlarms'>): Promise<HardwareAlarmView[]> {
    return this.#alarms.ofMachine(params.machine);
  }
}
