#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { ApiError, HttpClient } from '@peerlab/client';
import { exitCodeOf, progressText, runPhase, seriesText, startText } from '@peerlab/contracts';
import { Command } from 'commander';
import { parseStream, printLog, resolveAttempt } from './commands/logs.js';
import { forgetMachine, listMachines, moveAgent, moveMachine, parseDesired, setMachine } from './commands/machines.js';
import { jsonReport, markdownReport } from './commands/report.js';
import { runRetention, showRetention } from './commands/retention.js';
import { watchRun } from './commands/watch.js';
import { renderGrid } from './render/grid.js';
import { terminalText } from './render/terminal.js';
import { table, verdictText, wantsColour } from './render/text.js';
import { findToken } from './token.js';

const program = new Command('peerlab')
  // Exit code 1 means findings; commander would use it for a command line that does not parse.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .description('Submit runs to a Peerlab farm and read their results')
  .option('--url <url>', 'controller to talk to', process.env['PEERLAB_URL'] ?? 'http://127.0.0.1:7470')
  .option(
    '--token-file <file>',
    'file with a user token (default: PEERLAB_TOKEN, then the token that "npm start" created)',
  );

const colour = wantsColour(process.stdout);
/** Names, reasons and log lines come from machines under test: only their colours may reach a terminal. */
const write = (text: string): void => void process.stdout.write(process.stdout.isTTY ? terminalText(text) : text);
const print = (text: string): void => write(`${text}\n`);

async function client(): Promise<HttpClient> {
  const { url, tokenFile } = program.opts<{ url: string; tokenFile?: string }>();
  const token = await findToken(tokenFile);
  return new HttpClient({ url, token: () => token });
}

program
  .command('submit <file>')
  .description('submit a run file (YAML); "-" reads standard input')
  .option('--watch', 'follow the run until it has ended; exit code 0: as expected, 1: findings, 2: infrastructure')
  .option('--check', 'submit nothing; print the plan and the problems; exit code 1 if there are problems')
  .action(async (file: string, options: { watch?: boolean; check?: boolean }) => {
    const yaml = file === '-' ? await readStandardInput() : await readFile(file, 'utf8');
    const api = await client();
    if (options.check === true) {
      const report = await api.call('checkRun', { body: { yaml } });
      for (const p of report.problems)
        print(
          `${p.line === undefined ? p.path : `${file}:${p.line}:${p.column ?? 1}`}: ${p.message}${p.remedy === undefined ? '' : ` — ${p.remedy}`}`,
        );
      if (report.plan.length > 0)
        print(
          table([
            ['BUILD', 'MACHINE', 'COMBINATION', 'SUITES', 'START'],
            ...report.plan.map((p) => [p.build, p.machine, p.combination, p.suites.join(' '), startText(p.start)]),
          ]),
        );
      for (const each of report.series) print(`${each.build}: ${seriesText(each)}`);
      for (const u of report.unmatched) print(`not on ${u.machine}: ${u.why}`);
      process.exitCode = report.ok ? 0 : 1;
      return;
    }
    const run = await api.call('submitRun', { body: { yaml } });
    print(`${run.id}  ${api.url}/runs/${run.id}`);
    if (options.watch === true) await watchUntilEnded(api, run.id);
  });

program
  .command('watch <run>')
  .description('follow a run until it has ended; exit code 0: as expected, 1: findings, 2: infrastructure')
  .action(async (run: string) => watchUntilEnded(await client(), run));

program
  .command('runs')
  .description('list the newest runs')
  .option('-n, --limit <count>', 'how many', '20')
  .action(async (options: { limit: string }) => {
    const runs = await (await client()).call('listRuns', { query: { limit: options.limit } });
    print(
      table([
        ['RUN', 'STATE', 'VERDICT', 'JOBS', 'CREATED', 'NAME'],
        ...runs.map((r) => [
          r.id,
          runPhase(r),
          r.verdict === null ? progressText(r) : verdictText(r.verdict, colour),
          `${r.jobs.ended}/${r.jobs.total}`,
          r.createdAt,
          r.name,
        ]),
      ]),
    );
  });

program
  .command('logs <attempt-or-run>')
  .description('print one log stream of an attempt')
  .option('-s, --stream <name>', 'serial, kernel, test, agent or build', 'test')
  .option('-m, --machine <name>', 'with a run: print the attempt on this machine')
  .option('-f, --follow', 'keep printing until the attempt has ended', false)
  .option('-t, --timestamps', 'print the time of the agent before each line', false)
  .option('--from <sequence>', 'first line', '0')
  .action(
    async (
      id: string,
      options: { stream: string; machine?: string; follow: boolean; timestamps: boolean; from: string },
    ) => {
      const api = await client();
      const attempt = await resolveAttempt(api, id, options.machine);
      const from = Number(options.from);
      await printLog(
        api,
        attempt,
        parseStream(options.stream),
        { from, follow: options.follow, timestamps: options.timestamps },
        // A file or a pipe gets the text unchanged.
        write,
      );
    },
  );

const machines = program
  .command('machines')
  .description('list the machines with their state and peer-to-peer paths')
  .action(async () => print(await listMachines(await client())));

machines
  .command('set <machine> <state>')
  .description('set the wanted state of a machine: active, drained, maintenance or quarantined')
  .option('-r, --reason <text>', 'reason, shown to other users')
  .action(async (name: string, state: string, options: { reason?: string }) => {
    const wanted = parseDesired(state);
    print(await setMachine(await client(), name, wanted, options.reason));
  });

machines
  .command('move <machine> <agent>')
  .description('assign a machine to another agent, of any site')
  .action(async (machine: string, agent: string) => print(await moveMachine(await client(), machine, agent)));

machines
  .command('forget <machine>')
  .description('free the name of a machine that no agent reports, for the next agent that reports it')
  .action(async (machine: string) => print(await forgetMachine(await client(), machine)));

program
  .command('agents')
  .description('manage agents')
  .command('move <agent> <site>')
  .description('assign an agent with its machines to a site; it may take over machines of absent agents there')
  .action(async (agent: string, site: string) => print(await moveAgent(await client(), agent, site)));

program
  .command('grid')
  .description('print the grid: the newest results of every combination and build, or those of one run')
  .option('--run <id>', 'only the results of this run')
  .action(async (options: { run?: string }) => {
    print(renderGrid(await (await client()).call('getGrid', { query: { run: options.run } }), colour));
  });

program
  .command('report <run>')
  .description('print the report of a run as Markdown: matrix, findings, metrics with ratios')
  .option('--json', 'print JSON, with every sample')
  .action(async (run: string, options: { json?: boolean }) => {
    const api = await client();
    if (options.json === true) print(JSON.stringify(await jsonReport(api, run), null, 2));
    else write(await markdownReport(api, run));
  });

const retention = program
  .command('retention')
  .description('remove evidence that is too old or above the soft limit; controllers also do so at regular intervals')
  .option('--dry-run', 'remove nothing; print what would be removed')
  .action(async (options: { dryRun?: boolean }) => {
    print(await runRetention(await client(), options.dryRun === true));
  });
retention
  .command('status')
  .description('print limits, pinned runs and the newest removals')
  .action(async () => print(await showRetention(await client())));
retention
  .command('pin <run>')
  .description('keep a run with its logs, results and bundles')
  .option('--reason <text>', 'reason, shown to other users')
  .action(async (run: string, options: { reason?: string }) => {
    const body = { pinned: true, ...(options.reason === undefined ? {} : { reason: options.reason }) };
    await (await client()).call('pinRun', { params: { run }, body });
  });
retention
  .command('unpin <run>')
  .description('allow retention to delete the run')
  .action(async (run: string) => {
    await (await client()).call('pinRun', { params: { run }, body: { pinned: false } });
  });

async function watchUntilEnded(api: HttpClient, id: string): Promise<void> {
  const run = await watchRun(api, id, print, { colour });
  print('');
  print(renderGrid(await api.call('getGrid', { query: { run: run.id } }), colour));
  process.exitCode = exitCodeOf(run.verdict);
}

async function readStandardInput(): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

program.parseAsync().catch((error: unknown) => {
  const isUnreachable = error instanceof ApiError && error.problem.code === 'unreachable';
  const remedy = isUnreachable ? '; start one with "npm start", or name it with --url or PEERLAB_URL' : '';
  process.stderr.write(`peerlab: ${error instanceof Error ? error.message : String(error)}${remedy}\n`);
  process.exitCode = 2;
});
