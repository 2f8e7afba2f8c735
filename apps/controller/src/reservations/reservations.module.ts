import { Module } from '@nestjs/common';
import { FleetModule } from '../fleet/fleet.module.js';
import { ReservationController } from './reservation.controller.js';
import { ReservationScheduler } from './reservation.scheduler.js';
import { ReservationService } from './reservation.service.js';
import { RestoreService } from './restore.service.js';
import { ReservationView } from './reservation.view.js';

/** Owns reservation. */
@Module({
  imports: [FleetModule],
  controllers: [ReservationController],
  providers: [ReservationService, RestoreService, ReservationView, ReservationScheduler],
  exports: [ReservationService, RestoreService],
})
export class ReservationsModule {}
