import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderGrid, wantsColour, watchRun } from '@peerlab/cli';
import { ApiError } from '@peerlab/client';
import { exitCodeOf } from '@peerlab/contracts';
import { Farm } from './farm.js';
import { HELP, readOptions, type StartOptions, UsageError } from './options.js';
import { forgetProcess, rememberedProcess, rememberProcess } from './process-file.js';
import { reportOf } from './report.js';
import { StepError } from './step.js';
import { createTerminal } from './terminal.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const colour = wantsColour(process.stdout);

/** Starts the farm, submits the run, prints its result and keeps serving. @returns the exit code */
async function main(options: StartOptions): Promise<number> {
  const lock = join(options.stateDir, 'run/start.json');
  const other = await rememberedProcess(lock);
  if (other !== null)
    throw new StepError(
      `"npm start" is already running (process ${other}) with the state folder ${options.stateDir}; stop it, or choose another folder with PEERLAB_STATE`,
    );
  await rememberProcess(lock, process.pid);

  const terminal = createTerminal(process.stdout, 4);
  const farm = new Farm(options, terminal);
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interrupt.abort(new Interrupted(signal)));
  const interrupted = new Promise<never>((_, reject) =>
    interrupt.signal.addEventListener('abort', () => reject(interrupt.signal.reason as Error)),
  );
  interrupted.catch(() => undefined);

  try {
    return await Promise.race([work(options, farm, terminal, interrupt.signal), interrupted]);
  } catch (error) {
    if (error instanceof Interrupted) return options.once ? 2 : 0;
    throw error;
  } finally {
    terminal.say('stopping …');
    await farm.stop();
    await forgetProcess(lock);
  }
}

class Interrupted extends Error {}

async function work(
  options: StartOptions,
  farm: Farm,
  terminal: ReturnType<typeof createTerminal>,
  signal: AbortSignal,
): Promise<number> {
  const startedAt = Date.now();
  const yaml = options.runFile === null ? null : await readRunFile(options.runFile);
  await Promise.all([farm.prepareImages(), farm.prepareKernelSource()]);
  await farm.startController();
  await farm.startLab();
  const definition = await farm.awaitLabDefinition(startedAt);
  await farm.startAgents(definition);
  await farm.awaitMachines(definition.machines.map(({ name }) => name));

  if (yaml !== null) {
    const run = await farm.client.call('submitRun', { body: { yaml } });
    terminal.say(`\n${run.name}: ${farm.url}/runs/${run.id}`);
    const ended = await Promise.race([
      watchRun(farm.client, run.id, (line) => terminal.say(`  ${line}`), { colour, signal }),
      farm.failure(),
    ]);
    const grid = await farm.client.call('getGrid', { query: { run: run.id } });
    terminal.say(`\n${renderGrid(grid, colour)}\n`);
    if (options.jsonFile !== null)
      await writeFile(options.jsonFile, `${JSON.stringify(reportOf(ended, grid), null, 2)}\n`);
    terminal.say(`${ended.verdict ?? 'no verdict'} after ${Math.round((Date.now() - startedAt) / 1000)} s`);
    if (options.once) return exitCodeOf(ended.verdict);
  }
  const token = (await readFile(join(options.stateDir, 'user.token'), 'utf8')).trim();
  terminal.say(`\nPeerlab is at ${farm.url}/#token=${token}\nCtrl-C stops it. All data stays in ${options.stateDir}.`);
  return farm.failure();
}

async function readRunFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(
      `--run ${file}: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (error as Error).message}`,
    );
  }
}

try {
  const options = readOptions(process.argv.slice(2), process.env, root);
  if (options === 'help') process.stdout.write(HELP);
  else process.exitCode = await main(options);
} catch (error) {
  const known = error instanceof StepError || error instanceof UsageError || error instanceof ApiError;
  process.stderr.write(`\n${known ? error.message : ((error as Error).stack ?? String(error))}\n`);
  process.exitCode = 2;
}
process.exit();
