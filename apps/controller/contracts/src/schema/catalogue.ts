import { z } from 'zod';
import { Name, Sha256 } from './ids.js';
import { BaseName, RepositoryUrl } from './kernel-source.js';
import { ABOUT_MAX, SuiteDefinition } from './suite.js';

/** Suites and configurations that one agent may tell of; a dozen are usual. */
export const CATALOGUE_SUITES_MAX = 256;
export const CATALOGUE_CONFIGS_MAX = 64;
/** Suites that one lab may bring. */
export const LAB_SUITES_MAX = 64;
/** Repositories that one builder may allow. */
export const REPOSITORIES_MAX = 256;
/** Other bases that kernel/base.json may have. */
export const BASES_MAX = 16;
/** How many times longer than the fastest kernel one may boot. */
export const BOOT_FACTOR_MAX = 20;

/** Suites of all labs that are known; of more the ones of the labs that were seen first are left out. */
export const FARM_LAB_SUITES_MAX = 1000;

/** What a build of a run file names for the configuration of each machine's own; no configuration has this name. */
export const OWN_CONFIG = 'machine';

/** A suite that the kernels of a builder bring with them. */
export const CatalogueSuite = z.object({
  name: Name,
  about: z.string().max(ABOUT_MAX),
  kind: z.enum(['functional', 'performance']),
  /** A run that names no suites gets this one. */
  isDefault: z.boolean(),
});
export type CatalogueSuite = z.infer<typeof CatalogueSuite>;

/** A kernel configuration that a builder can build. */
export const CatalogueConfig = z.object({
  name: Name,
  about: z.string().max(ABOUT_MAX),
  /** How many times longer a kernel boots with it than with the fastest one. */
  bootFactor: z.number().min(1).max(BOOT_FACTOR_MAX),
  /**
   * What the manifests of its kernels call it where that is not its name: one that stands for itself, such as that of a
   * machine, is built as one with all others of equal settings.
   */
  builtAs: Name.optional(),
  /** The machine whose own kernel's configuration it was made from. Absent: one with `builtAs` is that of the machine of its name. */
  machine: Name.optional(),
});
export type CatalogueConfig = z.infer<typeof CatalogueConfig>;

/** What an agent can build and run, as it says itself when it connects. */
export const Catalogue = z.object({
  suites: z.array(CatalogueSuite).max(CATALOGUE_SUITES_MAX),
  configs: z.array(CatalogueConfig).max(CATALOGUE_CONFIGS_MAX),
  /** Suites of a lab, as their files say; they run with any kernel. */
  labSuites: z.array(SuiteDefinition).max(LAB_SUITES_MAX).optional(),
  /**
   * Digest of what goes into every kernel that it builds beside the series: its kernel/ folder, its base and its compiler.
   * Absent from agents that do not tell.
   */
  recipe: Sha256.optional(),
  /**
   * Git repositories that it fetches from. Absent from builders that know no source but the farm's base, and no fragments
   * of a configuration.
   */
  repositories: z.array(RepositoryUrl).max(REPOSITORIES_MAX).optional(),
  /** Whether it builds with configurations that were uploaded. Absent from builders that know none. */
  configFiles: z.boolean().optional(),
  /** Bases that it builds from besides the farm's own, by their names. Absent from builders that know no other. */
  bases: z.array(BaseName).max(BASES_MAX).optional(),
});
export type Catalogue = z.infer<typeof Catalogue>;

/** What the farm can build and run: the catalogues of its agents as one. */
export const FarmCatalogue = Catalogue.omit({ recipe: true }).extend({
  labSuites: z.array(SuiteDefinition).max(FARM_LAB_SUITES_MAX),
  /** Those of all builders; null = none of them builds from other sources than the farm's base. */
  repositories: z.array(RepositoryUrl).nullable(),
  /** Other bases, of all builders. */
  bases: z.array(BaseName),
  /** Names of the RDMA devices of all machines, as their inventories have them. Absent where they were not asked for. */
  rdmaDevices: z.array(z.string()).optional(),
  /**
   * Whether it names everything. Not before a builder has told what it builds, which builders older than the catalogue
   * never do: names are not checked then.
   */
  isComplete: z.boolean(),
  /** What the farm waits for, with the remedy; null when it waits for nothing. */
  waitsFor: z.string().nullable(),
});
export type FarmCatalogue = z.infer<typeof FarmCatalogue>;

/** What a run gets that names no suites. */
export const defaultSuites = ({ suites }: Pick<Catalogue, 'suites'>): string[] =>
  suites.filter(({ isDefault }) => isDefault).map(({ name }) => name);
