import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Runs every check of the project and ends with one line: "N passed, N failed". */
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
const script = (path: string): string => join(root, path);

interface Tally {
  passed: number;
  failed: number;
}

interface Suite {
  name: string;
  /** In `npm test`; the others only by `--only NAME`. */
  always: boolean;
  run: () => Promise<Tally>;
}

async function command(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  let output = '';
  child.stdout.on('data', (piece: Buffer) => {
    output += piece.toString('utf8');
    process.stdout.write(piece);
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? 1));
  });
  return { code, output };
}

/** A check that has no finer count than its exit code. */
async function check(program: string, args: string[]): Promise<Tally> {
  const { code } = await command(program, args);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** Counts come from vitest's own JSON report; a run that ends without one counts as failed. */
async function vitest(args: string[], env: Record<string, string> = {}): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), 'peerlab-test-'));
  try {
    const file = join(folder, 'report.json');
    const { code } = await command(
      bin('vitest'),
      ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...args],
      env,
    );
    const report = JSON.parse(await readFile(file, 'utf8')) as {
      numPassedTests: number;
      numFailedTests: number;
      numFailedTestSuites: number;
    };
    const broken = code !== 0 && report.numFailedTests === 0 ? Math.max(1, report.numFailedTestSuites) : 0;
    return { passed: report.numPassedTests, failed: report.numFailedTests + broken };
  } catch (error) {
    process.stderr.write(`no test report: ${(error as Error).message}\n`);
    return { passed: 0, failed: 1 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A program that prints KTAP. A skip is neither; one that passes nothing has failed. */
async function ktap(program: string, args: string[] = []): Promise<Tally> {
  const { code, output } = await command(program, args);
  const passed = output.match(/^ok \d+(?!.*# SKIP)/gm)?.length ?? 0;
  const failed = output.match(/^not ok \d+/gm)?.length ?? 0;
  return { passed, failed: failed === 0 && (code !== 0 || passed === 0) ? 1 : failed };
}

const SUITES: Suite[] = [
  { name: 'lint', always: true, run: () => check(bin('oxlint'), ['--type-aware', '--deny-warnings']) },
  { name: 'format', always: true, run: () => check(bin('biome'), ['format', '.']) },
  { name: 'kernel-scripts', always: true, run: () => ktap(script('kernel/scripts/test.sh')) },
  { name: 'series', always: true, run: () => ktap(script('kernel/scripts/check-series.sh'), ['--quick']) },
  { name: 'unit', always: true, run: () => vitest([]) },
  { name: 'faults', always: true, run: () => ktap(process.execPath, [script('test/dist/faults/main.js'), '--ktap']) },
  { name: 'e2e', always: true, run: () => vitest(['--config', 'vitest.slow.config.ts', 'test/src/e2e/main-job']) },
  { name: 'e2e-long', always: false, run: () => vitest(['--config', 'vitest.slow.config.ts', 'test/src/e2e/']) },
  {
    name: 'faults-lab',
    always: false,
    run: () => vitest(['--config', 'vitest.slow.config.ts', 'test/src/faults/virtual-lab']),
  },
];

const only = process.argv.indexOf('--only');
const names = only === -1 ? null : (process.argv[only + 1] ?? '').split(',');
const unknown = names?.find((name) => !SUITES.some((suite) => suite.name === name));
if (unknown !== undefined) {
  process.stderr.write(`--only ${unknown}: expected one of ${SUITES.map((s) => s.name).join(', ')}\n`);
  process.exit(2);
}

const total: Tally = { passed: 0, failed: 0 };
const summary: string[] = [];
for (const suite of SUITES) {
  if (names === null ? !suite.always : !names.includes(suite.name)) continue;
  process.stdout.write(`\n== ${suite.name}\n`);
  const startedAt = Date.now();
  const tally = await suite.run();
  total.passed += tally.passed;
  total.failed += tally.failed;
  summary.push(
    `${suite.name}: ${tally.passed} passed, ${tally.failed} failed in ${Math.round((Date.now() - startedAt) / 1000)} s`,
  );
}
process.stdout.write(`\n${summary.join('\n')}\n\n${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
