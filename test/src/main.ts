import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chosenSuites } from './chosen-suites.js';

/** Runs every check of the project; the last line is "N passed, N failed". */
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
const script = (path: string): string => join(root, path);

interface Tally {
  passed: number;
  failed: number;
}

interface Suite {
  name: string;
  /** Part of `npm test`; the others run only with `--only NAME`. */
  always: boolean;
  /** Runs beside the suites before it, up to the next suite that is not. Its output is printed when it has ended. */
  beside?: true;
  run: (print: Print) => Promise<Tally>;
}

type Print = (piece: Buffer) => void;

async function command(print: Print, program: string, args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (piece: Buffer) => {
    output += piece.toString('utf8');
    print(piece);
  });
  child.stderr.on('data', print);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? 1));
  });
  return { code, output };
}

/** A check that counts as one. */
async function check(print: Print, program: string, args: string[]): Promise<Tally> {
  const { code } = await command(print, program, args);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** Counts come from vitest's JSON report; a run without one counts as failed. */
async function vitest(print: Print, args: string[]): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), 'peerlab-test-'));
  try {
    const file = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const { code } = await command(print, bin('vitest'), ['run', ...reporters, ...args]);
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

/** A program that prints KTAP. Skipped tests do not count; a program that passes no test has failed. */
async function ktap(print: Print, program: string, args: string[] = []): Promise<Tally> {
  const { code, output } = await command(print, program, args);
  const passed = output.match(/^ok \d+(?!.*# SKIP)/gm)?.length ?? 0;
  const failed = output.match(/^not ok \d+/gm)?.length ?? 0;
  return { passed, failed: failed === 0 && (code !== 0 || passed === 0) ? 1 : failed };
}

const SLOW = ['--config', 'vitest.slow.config.ts'];

/**
 * Unit tests wait half of the time, so what only computes runs beside them. Faults have limits in real time and run
 * alone. Machines wait for each other's boots, so the server is enrolled beside the machines of the lab.
 */
const SUITES: Suite[] = [
  { name: 'unit', always: true, run: (print) => vitest(print, []) },
  {
    name: 'lint',
    always: true,
    beside: true,
    run: (print) => check(print, bin('oxlint'), ['--type-aware', '--deny-warnings']),
  },
  { name: 'format', always: true, beside: true, run: (print) => check(print, bin('biome'), ['format', '.']) },
  { name: 'kernel-scripts', always: true, beside: true, run: (print) => ktap(print, script('kernel/scripts/test.sh')) },
  {
    name: 'series',
    always: true,
    beside: true,
    run: (print) => ktap(print, script('kernel/scripts/check-series.sh'), ['--quick']),
  },
  {
    name: 'faults',
    always: true,
    run: (print) => ktap(print, process.execPath, [script('test/dist/faults/main.js'), '--ktap']),
  },
  {
    name: 'e2e',
    always: true,
    run: (print) => vitest(print, [...SLOW, 'test/src/e2e/main-job', 'test/src/e2e/small-pair']),
  },
  {
    name: 'server',
    always: true,
    beside: true,
    run: (print) => vitest(print, [...SLOW, 'test/src/e2e/server-enrolment']),
  },
  { name: 'e2e-long', always: false, run: (print) => vitest(print, [...SLOW, 'test/src/e2e/', 'test/src/pair/']) },
  { name: 'faults-lab', always: false, run: (print) => vitest(print, [...SLOW, 'test/src/faults/virtual-lab']) },
];

const asked = chosenSuites(process.argv.slice(2), SUITES);
if ('exitCode' in asked) {
  (asked.exitCode === 0 ? process.stdout : process.stderr).write(asked.text);
  process.exit(asked.exitCode);
}
const chosen = [...asked];

const total: Tally = { passed: 0, failed: 0 };
const summary: string[] = [];

async function runSuite({ name, run }: Suite, print: Print): Promise<void> {
  const startedAt = Date.now();
  print(Buffer.from(`\n== ${name}\n`));
  const { passed, failed } = await run(print);
  total.passed += passed;
  total.failed += failed;
  summary.push(`${name}: ${passed} passed, ${failed} failed in ${Math.round((Date.now() - startedAt) / 1000)} s`);
}

/** One after the other; the output of each appears when it has ended, in one piece. */
async function runBeside(suites: Suite[]): Promise<void> {
  for (const suite of suites) {
    const pieces: Buffer[] = [];
    await runSuite(suite, (piece) => pieces.push(piece));
    process.stdout.write(Buffer.concat(pieces));
  }
}

while (chosen.length > 0) {
  const next = chosen.findIndex(({ beside }, index) => index > 0 && beside !== true);
  const [first, ...beside] = chosen.splice(0, next === -1 ? chosen.length : next);
  if (first === undefined) break;
  await Promise.all([runSuite(first, (piece) => process.stdout.write(piece)), runBeside(beside)]);
}
process.stdout.write(`\n${summary.join('\n')}\n\n${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
