import { Module } from '@nestjs/common';
import { FleetModule } from '../fleet/fleet.module.js';
import { ReservationController } from './reservation.controller.js';
import { ReservationScheduler } from './reservation.scheduler.js';
import { ReservationService } from './reservation.service.js';
import { RestoreService } from './restore.service.js';
import { TerminalStore } from './terminal-store.js';
import { ReservationView } from './reservation.view.js';

/** Owns reservation, terminal, terminal_output. */
@Module({
  imports: [FleetModule],
  controllers: [ReservationController],
  providers: [ReservationService, RestoreService, ReservationView, TerminalStore, ReservationScheduler],
  exports: [ReservationService, RestoreService, TerminalStore],
})
export class ReservationsModule {}
