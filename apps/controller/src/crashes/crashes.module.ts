import { Module } from '@nestjs/common';
import { FleetModule } from '../fleet/fleet.module.js';
import { LogsModule } from '../logs/logs.module.js';
import { AttemptCrashesView } from './attempt-crashes.js';
import { CrashController } from './crash.controller.js';
import { CrashDetailView } from './crash-detail.js';
import { CrashListView } from './crash-list.js';
import { CrashMailView } from './crash-mail.js';
import { CrashSearch } from './crash-search.js';
import { CrashSearchScheduler } from './crash-search.scheduler.js';
import { CrashStore } from './crash-store.js';
import { HardwareAlarmsView } from './hardware-alarms.js';

/** Owns crash, crash_search, hardware_alarm. */
@Module({
  imports: [FleetModule, LogsModule],
  controllers: [CrashController],
  providers: [
    CrashStore,
    CrashSearch,
    CrashSearchScheduler,
    CrashListView,
    CrashDetailView,
    AttemptCrashesView,
    CrashMailView,
    HardwareAlarmsView,
  ],
  exports: [CrashStore],
})
export class CrashesModule {}
