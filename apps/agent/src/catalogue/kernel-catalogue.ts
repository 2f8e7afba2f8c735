import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ABOUT_MAX,
  BaseName,
  BASES_MAX,
  BOOT_FACTOR_MAX,
  type Catalogue,
  CatalogueConfig,
  cutText,
  Name,
  OWN_CONFIG,
} from '@peerlab/contracts';
import { z } from 'zod';
import { nameInManifest } from './settings-digest.js';

/** kernel/selftests/suites.json: suites.sh makes the entries of a bundle from the same file. */
const SuitesFile = z.strictObject({
  suites: z
    .array(
      z.strictObject({
        name: Name,
        about: z.string().max(ABOUT_MAX),
        kind: z.enum(['functional', 'performance']),
        default: z.boolean(),
        /** Its file in the bundle's suites/. */
        program: z.string().regex(/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,63}$/),
        /** Passed to the program. */
        options: z.array(z.string().regex(/^[!-~]{1,100}$/)).max(16),
        /** Limits on an idle host. */
        seconds: z.number().int().positive(),
        testSeconds: z.number().int().positive(),
      }),
    )
    .max(256),
});

/** kernel/base.json: fetch-base.sh reads the rest of it. */
const BaseFile = z.object({ others: z.record(BaseName, z.unknown()).default({}) });

const CONFIG = /^([a-z0-9-]{1,64})\.config$/;
/** Comment lines at the start of a configuration, as far as they are looked at. */
const HEADER_LINES = 10;

/** What `# about: …`, `# boot factor: …`, `# whole: yes` and `# machine: …` at the start of a configuration of this folder say. */
function readConfig(folder: string, name: string): CatalogueConfig {
  const file = readFileSync(join(folder, `${name}.config`));
  const header = file
    .toString('utf8')
    .split('\n', HEADER_LINES)
    .filter((line) => line.startsWith('#'));
  const value = (field: string): string | undefined =>
    header
      .find((line) => line.startsWith(`# ${field}: `))
      ?.slice(field.length + 4)
      .trim();
  const factor = Number(value('boot factor') ?? 1);
  const bootFactor = factor >= 1 && factor <= BOOT_FACTOR_MAX ? factor : 1;
  const about = cutText(value('about') ?? '', ABOUT_MAX);
  if (!header.includes('# whole: yes')) return { name, about, bootFactor };
  const builtAs = nameInManifest(file, readFileSync(join(folder, 'farm.fragment')));
  const machine = Name.safeParse(value('machine'));
  return { name, about, bootFactor, builtAs, ...(machine.success ? { machine: machine.data } : {}) };
}

/** The suites, configurations and other bases of a kernel/ folder. Throws where it cannot be read. */
export function readKernelCatalogue(kernelDir: string): Catalogue {
  const { suites } = SuitesFile.parse(JSON.parse(readFileSync(join(kernelDir, 'selftests', 'suites.json'), 'utf8')));
  const { others } = BaseFile.parse(JSON.parse(readFileSync(join(kernelDir, 'base.json'), 'utf8')));
  const folder = join(kernelDir, 'config');
  const configs = readdirSync(folder)
    .toSorted()
    .flatMap((file) => {
      const name = CONFIG.exec(file)?.[1];
      // Run files mean another thing by the reserved word.
      return name === undefined || name === OWN_CONFIG ? [] : [readConfig(folder, name)];
    });
  return {
    suites: suites.map(({ name, about, kind, default: isDefault }) => ({ name, about, kind, isDefault })),
    configs,
    configFiles: true,
    bases: Object.keys(others).toSorted().slice(0, BASES_MAX),
  };
}
