import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { Artifact, Bundle } from '../schema/builds.js';
import { ArtifactAccess } from './artifact-access.js';
import { ArtifactFolder } from './artifact-folder.js';
import { ArtifactStore } from './artifact-store.js';
import { BuildDetailView } from './build-detail.js';
import { BuildController } from './build.controller.js';
import { BuildService } from './build.service.js';
import { BundleFiles } from './bundle-files.js';
import { PatchStore } from './patch-store.js';
import { SourceLinksView } from './source-links.js';

/** Owns artifact, artifact_folder, bundle, build, and the artifact folder. */
@Module({
  imports: [TypeOrmModule.forFeature([Artifact, Bundle])],
  controllers: [BuildController],
  providers: [
    { provide: ArtifactStore, inject: [SETTINGS_TOKEN], useFactory: openStore },
    ArtifactFolder,
    BuildService,
    ArtifactAccess,
    BuildDetailView,
    BundleFiles,
    PatchStore,
    SourceLinksView,
  ],
  exports: [ArtifactStore, BuildService, BundleFiles],
})
export class BuildsModule {}

async function openStore({ stateDir, artifactMaxBytes }: Settings): Promise<ArtifactStore> {
  const store = new ArtifactStore(join(stateDir, 'artifacts'), artifactMaxBytes);
  await store.prepare();
  return store;
}
