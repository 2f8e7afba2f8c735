import { Module } from '@nestjs/common';
import { StorageMeter } from './storage.js';

/** Owns storage. */
@Module({
  providers: [StorageMeter],
  exports: [StorageMeter],
})
export class StorageModule {}
