import { z } from 'zod';
import { Labels, Name, Sha256, SUITE_NAME_MAX, SuiteName } from './ids.js';

/** Longest description of a suite or a configuration, in characters. */
export const ABOUT_MAX = 200;
/** Longest script in a run file, in characters; a longer one is uploaded as a file. */
export const SCRIPT_MAX = 64 * 1024;
/** Files of one suite. */
export const SUITE_FILES_MAX = 16;
/** Largest file of a suite, in bytes. */
export const SUITE_FILE_MAX_BYTES = 256 * 1024 * 1024;
/** Variants that the matrix of one suite may have. */
export const VARIANTS_MAX = 32;
/** Words of a command, and characters of one. */
const WORDS_MAX = 64;
const WORD_MAX = 1000;

/** How the output of a suite is read. */
export const Dialect = z.enum([
  'exit-code',
  'ktap',
  'pytest',
  'unittest',
  'gtest',
  'junit',
  'fio',
  'nccl-tests',
  'nvbandwidth',
  'gdrcopy',
  'perftest',
]);
export type Dialect = z.infer<typeof Dialect>;

const PLAIN = 'use printable characters';
/** One word of a command. */
const Word = z
  .string()
  .max(WORD_MAX)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, PLAIN);

/** A file in the folder of the suite; no path. */
export const FileName = z
  .string()
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._+-]{0,99}$/,
    'use letters, digits, dot, dash, plus and underscore, starting with a letter or digit',
  );

/** A name for the environment of a suite. */
const VariableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'use letters, digits and underscore, starting with a letter')
  .refine((name) => !name.startsWith('PEERLAB_'), { error: 'names with PEERLAB_ are set by the farm' });

const Scalar = z.union([Word, z.number(), z.boolean()], { error: 'expected a text, a number, true or false' });
/** A value that stands in the name of a variant. */
const MatrixValue = z.union([z.string().regex(/^[a-zA-Z0-9_.:+-]{1,40}$/), z.number(), z.boolean()], {
  error: 'expected a number, true, false, or a text of letters, digits and . _ : + - with 40 characters at most',
});

const AbsolutePath = z
  .string()
  .max(1000)
  .regex(/^\/[^\p{Cc}\p{Cs}]*$/u, 'expected a path that begins with /');
const DebianPackage = z.string().regex(/^[a-z0-9][a-z0-9.+-]{0,99}$/, 'expected the name of a Debian package');

const fewRecords = (max: number) => ({
  check: (record: object) => Object.keys(record).length <= max,
  error: `at most ${max}`,
});
const PARAMETERS = fewRecords(32);
const MATRIX = fewRecords(4);
const LABELS = fewRecords(32);

/** What a suite needs; where it is missing the suite is skipped with that reason. */
export const SuiteNeeds = z.strictObject({
  labels: Labels.refine(LABELS.check, { error: LABELS.error })
    .optional()
    .describe('only on machines with all of these labels'),
  devices: z
    .array(AbsolutePath)
    .max(32)
    .optional()
    .describe('files that have to be there when it starts, such as /dev/infiniband'),
  modules: z.array(Name).max(32).optional().describe('kernel modules that are loaded before it'),
  root: z.boolean().optional().describe('whether it has to run as root'),
});
export type SuiteNeeds = z.infer<typeof SuiteNeeds>;

/** A file that was uploaded; it lies in the folder that the suite is started in. */
export const SuiteFile = z.strictObject({
  name: FileName.describe('how it is called there'),
  artifact: Sha256.describe('the uploaded file, by its SHA-256'),
  unpack: z.boolean().optional().describe('a tar archive that is unpacked there'),
});
export type SuiteFile = z.infer<typeof SuiteFile>;

/** A folder below tools/testing/selftests. */
export const Kselftest = z
  .string()
  .regex(/^[a-z0-9_-]{1,40}(\/[a-z0-9_-]{1,40}){0,3}$/i, 'expected a folder of tools/testing/selftests');

const WAYS = ['script', 'command', 'path', 'kselftest'] as const;

/** A suite as people write it. It runs on the machine under test alone, on the kernel under test. */
export const SuiteDefinition = z
  .strictObject({
    name: Name.refine((name) => name !== 'farm', {
      error: 'the name "farm" is the farm’s own; choose another',
    }).describe('how the suite is called in grids'),
    about: z.string().max(ABOUT_MAX).optional().describe('what it tests, in a few words'),
    kind: z.enum(['functional', 'performance']).optional().describe('functional unless given'),
    script: z
      .string()
      .min(1)
      .max(SCRIPT_MAX)
      .refine((text) => !text.includes('\0'), { error: 'has a NUL character; give text' })
      .optional()
      .describe('the text of a program; without a first line such as #!/usr/bin/python3 it is run by sh'),
    files: z.array(SuiteFile).min(1).max(SUITE_FILES_MAX).optional().describe('uploaded files beside it'),
    package: z
      .union([DebianPackage, z.array(DebianPackage).min(1).max(16)])
      .optional()
      .describe('Debian packages that have to be installed on the machine'),
    command: z.array(Word).min(1).max(WORDS_MAX).optional().describe('the words of the command that starts it'),
    path: AbsolutePath.optional().describe('a program on the machine'),
    kselftest: Kselftest.optional().describe('a target of the kernel’s own selftests, which is built with the kernel'),
    needs: SuiteNeeds.optional().describe('what has to be there; it is skipped otherwise'),
    limitSeconds: z.number().int().min(1).max(86_400).optional().describe('seconds that it may take; 600 unless given'),
    testLimitSeconds: z
      .number()
      .int()
      .min(1)
      .max(86_400)
      .optional()
      .describe('seconds that one test may take, where it announces them; as long as the suite unless given'),
    dialect: Dialect.optional().describe('how its output is read; exit-code unless given'),
    parameters: z
      .record(VariableName, Scalar)
      .refine(PARAMETERS.check, { error: PARAMETERS.error })
      .optional()
      .describe('variables of its environment'),
    matrix: z
      .record(VariableName, z.array(MatrixValue).min(1).max(VARIANTS_MAX))
      .refine(MATRIX.check, { error: MATRIX.error })
      .optional()
      .describe('variables that take several values: one variant of the suite for each combination'),
  })
  .superRefine((suite, context) => {
    const wrong = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    const given = WAYS.filter((way) => suite[way] !== undefined);
    if (given.length !== 1) {
      const what = given.length === 0 ? 'does not say how it is started' : `has ${given.join(' and ')}`;
      wrong([], `the suite "${suite.name}" ${what}; give one of ${WAYS.join(', ')}`);
    }
    if (suite.kselftest !== undefined && (suite.files !== undefined || suite.dialect !== undefined)) {
      wrong(['kselftest'], 'takes neither files nor dialect; remove them');
    }
    const names = (suite.files ?? []).map(({ name }) => name);
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) !== index) wrong(['files', index, 'name'], `the name "${name}" is used twice`);
      if (name === SCRIPT_FILE) wrong(['files', index, 'name'], `the name "${name}" is the farm’s own; choose another`);
    }
    const both = Object.keys(suite.matrix ?? {}).find((name) => Object.hasOwn(suite.parameters ?? {}, name));
    if (both !== undefined) wrong(['matrix', both], `is a parameter, too; remove "${both}" from one of them`);
    const count = Object.values(suite.matrix ?? {}).reduce((product, values) => product * values.length, 1);
    if (count > VARIANTS_MAX) {
      wrong(['matrix'], `makes ${count} variants, at most ${VARIANTS_MAX} are possible; give fewer values`);
    } else {
      const long = suiteVariants(suite).find(({ name }) => name.length > SUITE_NAME_MAX);
      if (long !== undefined) wrong(['matrix'], `the name "${long.name}" is too long; choose shorter values or names`);
    }
  });
export type SuiteDefinition = z.infer<typeof SuiteDefinition>;

/** The file that a suite's script is put into, in the folder of the suite. */
export const SCRIPT_FILE = 'run.script';

/** A suite with one value for each parameter of its matrix. */
export interface SuiteVariant {
  /** `name[PARAM=VALUE,…]`; the plain name where there is no matrix. */
  name: string;
  parameters: Record<string, string>;
}

/** All combinations of the values of a suite's matrix, the last parameter changing fastest. */
export function suiteVariants({
  name,
  parameters = {},
  matrix = {},
}: Pick<SuiteDefinition, 'name' | 'parameters' | 'matrix'>): SuiteVariant[] {
  const fixed = Object.entries(parameters).map(([key, value]): [string, string] => [key, String(value)]);
  const combinations = Object.entries(matrix).reduce<[string, string][][]>(
    (all, [key, values]) =>
      all.flatMap((one) => values.map((value) => [...one, [key, String(value)] as [string, string]])),
    [[]],
  );
  return combinations.map((chosen) => ({
    name: chosen.length === 0 ? name : `${name}[${chosen.map(([key, value]) => `${key}=${value}`).join(',')}]`,
    parameters: Object.fromEntries([...fixed, ...chosen]),
  }));
}

/** The name of the suite that a variant belongs to; the name itself for any other. */
export const suiteOfVariant = (name: string): string => name.split('[', 1)[0] ?? name;

/** Debian packages of a suite. */
export const packagesOf = ({ package: given }: Pick<SuiteDefinition, 'package'>): string[] =>
  given === undefined ? [] : typeof given === 'string' ? [given] : given;

/** Files that a suite may leave in $PEERLAB_ARTIFACTS: what is beyond these is counted, and left where it is. */
export const LEFT_FILES_MAX = 32;
export const LEFT_FILE_MAX_BYTES = 16 * 1024 * 1024;
/** All files that the suites of one attempt leave, in bytes. */
export const LEFT_FILES_MAX_BYTES = 64 * 1024 * 1024;

/** A file that a suite left. */
export const LeftFile = z.object({
  suite: SuiteName,
  name: FileName,
  sha256: Sha256,
  sizeBytes: z.number().int().nonnegative().max(LEFT_FILE_MAX_BYTES),
});
export type LeftFile = z.infer<typeof LeftFile>;

/** How the agent runs a suite that is no program of the bundle. */
export const OwnSuite = z.object({
  dialect: Dialect,
  script: z.string().max(SCRIPT_MAX).optional(),
  path: AbsolutePath.optional(),
  kselftest: z.string().max(200).optional(),
  files: z.array(SuiteFile).max(SUITE_FILES_MAX).default([]),
  packages: z.array(DebianPackage).max(16).default([]),
  needs: SuiteNeeds.default({}),
  parameters: z.record(z.string().max(64), z.string().max(WORD_MAX)).default({}),
});
export type OwnSuite = z.infer<typeof OwnSuite>;
