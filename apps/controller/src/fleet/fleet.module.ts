import { Module } from '@nestjs/common';
import { FleetController } from './fleet.controller.js';
import { FleetService } from './fleet.service.js';
import { SiteService } from './site.service.js';
import { FleetView } from './fleet.view.js';
import { MachineHistory } from './machine-history.js';
import { MachineUseView } from './machine-use.view.js';

/** Owns agent, machine, machine_path, machine_inventory, machine_change, combination. */
@Module({
  controllers: [FleetController],
  providers: [FleetService, SiteService, FleetView, MachineHistory, MachineUseView],
  exports: [FleetService, SiteService, FleetView],
})
export class FleetModule {}
