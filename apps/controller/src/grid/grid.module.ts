import { Module } from '@nestjs/common';
import { VerdictsModule } from '../verdicts/verdicts.module.js';
import { GridController } from './grid.controller.js';
import { BuildGridController } from './build-grid.controller.js';
import { GridView } from './grid.js';
import { BuildGridView } from './build-grid.js';

/** Owns no table: it reads. */
@Module({
  imports: [VerdictsModule],
  controllers: [GridController, BuildGridController],
  providers: [GridView, BuildGridView],
  exports: [GridView, BuildGridView],
})
export class GridModule {}
