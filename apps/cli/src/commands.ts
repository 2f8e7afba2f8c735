import { KNOWN_DAYS_MAX, LOG_STREAMS } from '@peerlab/contracts';
import { command, type Command } from './command.js';
import { acceptBaseline, endBaseline, listBaselines } from './commands/baselines.js';
import { listBuilds, showBuild } from './commands/builds.js';
import { COMPARED_AS, compare } from './commands/compare.js';
import { showCoverage } from './commands/coverage.js';
import { listCrashes } from './commands/crash.js';
import { listKnownCrashes, mailCrash, showCrash } from './commands/crashes.js';
import { explain } from './commands/explain.js';
import { checkHealth, showHealth } from './commands/health.js';
import { showKtap } from './commands/ktap.js';
import { printLog, resolveLog } from './commands/logs.js';
import { enrolHere, passedOn } from './commands/machine.js';
import {
  forgetMachine,
  listAgents,
  listMachines,
  moveAgent,
  moveMachine,
  parseDesired,
  setMachine,
} from './commands/machines.js';
import { showMutants } from './commands/mutants.js';
import { showPerftest } from './commands/perftest.js';
import { REPORTED_AS } from './commands/report.js';
import { listReservations, reserveMachine, returnMachine } from './commands/reservations.js';
import { pinRun, planRetention, runRetention, showRetention } from './commands/retention.js';
import { cancelRun, listRuns, retry, showGrid, showReport } from './commands/runs.js';
import { submit, uploadFile } from './commands/submit.js';
import { listTemplates, showTemplate } from './commands/templates.js';
import { runTerminal } from './commands/terminal.js';
import { showTerminals } from './commands/terminals.js';
import { followRun } from './commands/watch.js';
import { runId } from './short-id.js';

const LIMIT = { flags: '-n, --limit <count>', help: 'how many', kind: 'count', from: 1, to: 200, preset: 20 } as const;

const BY_MACHINE = {
  flags: '--by-machine',
  help: 'tell machines with the same hardware apart',
  kind: 'flag',
} as const;

const REASON = {
  flags: '-r, --reason <text>',
  help: 'needed: shown to everyone, and kept with your name',
  kind: 'text',
  isRequired: true,
} as const;

const CONFIG_OF_AGENT = {
  flags: '--config <file>',
  help: 'the config of the agent',
  kind: 'text',
  isRequired: true,
} as const;

/** Options of both commands that look at one machine. */
const ENROLMENT = {
  config: CONFIG_OF_AGENT,
  act: {
    flags: '--act',
    help: 'also prove what changes it: a line on its console, its watchdog, its power, and a crash after which it has to come back. With `check` the agent must be stopped',
    kind: 'flag',
  },
} as const;
const CONFIRM = {
  flags: '--confirm <machine>',
  help: 'with `--act`: its name, instead of the question; where several ways lead to its power, `,MACHINE/power-2` behind it for the second one, and so on',
  kind: 'text',
} as const;

/**
 * Every command, in the order of help and README. A run, an attempt or a build is named by its id or by the beginning
 * of it. Parser, help and README are made from this table.
 */
export const COMMANDS: readonly Command[] = [
  command(
    'submit [file]',
    'submits a run file (YAML), a series, or a run file with the series put into its build `series` (else its last one); `-` reads standard input. Prints the id and the address of the run',
    {
      series: { flags: '--series <mbox>', help: 'patches by mail, as git am takes them', kind: 'text' },
      git: {
        flags: '--git <folder>',
        help: 'the commits of a local tree since its upstream, or --since',
        kind: 'text',
      },
      since: { flags: '--since <commit>', help: 'with --git: what the commits stand on', kind: 'text' },
      on: { flags: '--on <url>', help: 'with --git: builds from that commit of this repository', kind: 'text' },
      watch: { flags: '--watch', help: 'follow the run as `watch` does', kind: 'flag' },
      wait: {
        flags: '--wait',
        help: 'the same for a CI job: folds and errors as GitHub Actions, Gitea Actions and GitLab CI show them',
        kind: 'flag',
      },
      junit: { flags: '--junit <file>', help: 'with `--wait`: write the results as JUnit XML', kind: 'text' },
      check: { flags: '--check', help: 'submit nothing; print problems, plan, and machines left out', kind: 'flag' },
    },
    (context, [file], options) => submit(context, file, options),
  ),
  command(
    'upload <file>',
    'stores a file in the controller and prints the SHA-256 that run files name it by: a series, a tarball of sources, a file of a suite',
    {},
    (context, [file = '']) => uploadFile(context, file),
  ),
  command(
    'watch <run>',
    'follows a run until it has ended and prints its grid. Waits while the controller does not answer',
    {},
    async (context, [run = '']) => followRun(context, await runId(context.api, run)),
  ),
  command(
    'runs',
    'lists the newest runs',
    { limit: LIMIT, health: { flags: '--health', help: 'the farm’s health checks of machines instead', kind: 'flag' } },
    (context, _, options) => listRuns(context, options),
  ),
  command('cancel <run>', 'cancels a run; machines that it holds are restored', {}, (context, [run = '']) =>
    cancelRun(context, run),
  ),
  command(
    'retry <run-or-job>',
    'submits a run again as it was written, or one job of it, named by its id or that of an attempt; prints the new run',
    {},
    (context, [what = '']) => retry(context, what),
  ),
  command(
    'explain <what>',
    'why the jobs of a run wait or failed, what is wrong with an attempt, or what a verdict or a class of failure means',
    {},
    (context, [what = '']) => explain(context, what),
  ),
  command(
    'logs <attempt-or-run>',
    'prints the lines of one stream of an attempt; of a run, those of its one test job or of its job on a machine',
    {
      stream: { flags: '-s, --stream <name>', help: 'which stream', kind: 'choice', of: LOG_STREAMS, preset: 'test' },
      machine: {
        flags: '-m, --machine <name>',
        help: 'with a run: its attempt on this machine; with several machines in an attempt: the log of this one',
        kind: 'text',
      },
      role: { flags: '-r, --role <name>', help: 'with several machines in an attempt: whose log', kind: 'text' },
      follow: { flags: '-f, --follow', help: 'keep printing until the attempt has ended', kind: 'flag' },
      timestamps: { flags: '-t, --timestamps', help: 'print the time of the agent before each line', kind: 'flag' },
      from: { flags: '--from <sequence>', help: 'first line', kind: 'count', from: 0, to: 1e12, preset: 0 },
    },
    async ({ api, json, write }, [id = ''], { stream, machine, role, ...options }) => {
      await printLog(api, await resolveLog(api, id, { machine, role }), stream, { ...options, json }, write);
      return null;
    },
  ),
  command(
    'grid',
    'prints the newest results of every combination and build',
    { run: { flags: '--run <run>', help: 'only the results of this run', kind: 'text' }, byMachine: BY_MACHINE },
    (context, _, options) => showGrid(context, options),
  ),
  command(
    'report <run>',
    'prints the report of a run as Markdown: matrix, findings, metrics; with `--json` every sample',
    {
      as: {
        flags: '--as <form>',
        help: 'of a run with two machines in each job: `sizes`: its figures by message size, for a cover letter; `sizes-csv`: the same as CSV',
        kind: 'choice',
        of: REPORTED_AS,
        preset: 'all',
      },
    },
    (context, [run = ''], options) => showReport(context, run, options),
  ),
  command(
    'ktap <file>',
    'prints results in KTAP or TAP as a tree with totals, counted as the kernel’s own parser counts them; `-` reads standard input. Needs no controller',
    {},
    (context, [file = '']) => showKtap(context, file),
  ),
  command(
    'perftest <file>',
    'prints the figures of perftest (`ib_write_bw` and others) by message size, from its tables or its JSON; `-` reads standard input. Needs no controller',
    {
      label: {
        flags: '--label <text>',
        help: 'stands in every name, such as `odp`: the output does not show all options',
        kind: 'text',
      },
    },
    (context, [file = ''], options) => showPerftest(context, file, options),
  ),
  command(
    'compare <a> [b]',
    'compares two builds, each `RUN` or `RUN~BUILD`, as Markdown; without a second one, two builds of the run',
    {
      all: { flags: '--all', help: 'also tests that are the same on both sides', kind: 'flag' },
      combination: { flags: '--combination <hash>', help: 'only this combination', kind: 'text' },
      byMachine: BY_MACHINE,
      as: {
        flags: '--as <form>',
        help: '`sizes`: the metrics by message size, for a cover letter; `sizes-csv`: the same as CSV',
        kind: 'choice',
        of: COMPARED_AS,
        preset: 'all',
      },
    },
    (context, [a = '', b], options) => compare(context, a, b, options),
  ),
  command(
    'crash <file>',
    'lists the crash reports in a console log, a dmesg or a journal of up to 1 GiB; `-` reads standard input',
    {
      vmlinux: {
        flags: '--vmlinux <file>',
        help: 'a kernel with debug information: each call of a report with file and line, and what was inlined there; needs binutils',
        kind: 'text',
      },
      tree: { flags: '--tree <folder>', help: 'with `--vmlinux`: its source, whose lines are quoted', kind: 'text' },
    },
    ({ stdin }, [file = ''], options) => listCrashes(file, stdin, options),
  ),
  command(
    'crashes [text]',
    'lists what kernels reported over all runs, those seen last first; with a text, those whose titles have it',
    { limit: LIMIT },
    (context, [text], { limit }) => listKnownCrashes(context, text, limit),
  ),
  command(
    'crashes show <crash>',
    'prints one, by the beginning of its key or by its title: since which build, where, and the last good attempts',
    {},
    (context, [crash = '']) => showCrash(context, crash),
  ),
  command(
    'crashes mail <crash>',
    'prints it as a report for a mailing list',
    { attempt: { flags: '--attempt <attempt>', help: 'as this attempt has it, not the newest one', kind: 'text' } },
    (context, [crash = ''], { attempt }) => mailCrash(context, crash, attempt),
  ),
  command(
    'baselines',
    'lists the failures that people accepted for a suite on a base kernel: how many, by whom, until when',
    {},
    (context) => listBaselines(context),
  ),
  command(
    'baselines accept <attempt> <suite>',
    'accepts what fails in a suite of an attempt of the untouched base as known on every kernel of that base',
    {
      reason: REASON,
      days: { flags: '--days <count>', help: 'for how long', kind: 'count', from: 1, to: KNOWN_DAYS_MAX, preset: 30 },
    },
    (context, [attempt = '', suite = ''], options) => acceptBaseline(context, attempt, suite, options),
  ),
  command('baselines end <baseline>', 'withdraws one', {}, (context, [id = '']) => endBaseline(context, id)),
  command('builds', 'lists the newest kernel builds', { limit: LIMIT }, (context, _, { limit }) =>
    listBuilds(context, limit),
  ),
  command('builds show <build>', 'prints one build: its patches, and where it was tested', {}, (context, [id = '']) =>
    showBuild(context, id),
  ),
  command(
    'coverage <run-or-build>',
    'prints which added lines of a series its tests ran, over all attempts and machines of the build; of a run, those of every build that counts',
    { markdown: { flags: '--markdown', help: 'as Markdown, for a cover letter', kind: 'flag' } },
    (context, [what = ''], options) => showCoverage(context, what, options),
  ),
  command(
    'mutants <run-or-build>',
    'prints the mutation score of a build, and the mutants of its series that no test noticed, with their lines; of a run, those of every build that carries mutants',
    { markdown: { flags: '--markdown', help: 'as Markdown, for a cover letter', kind: 'flag' } },
    (context, [what = ''], options) => showMutants(context, what, options),
  ),
  command('templates', 'lists the run files that the controller offers', {}, (context) => listTemplates(context)),
  command('templates show <name>', 'prints one as YAML, for `submit`', {}, (context, [name = '']) =>
    showTemplate(context, name),
  ),
  command('machines', 'lists the machines with wanted state, observed state, paths, agent and problem', {}, ({ api }) =>
    listMachines(api),
  ),
  command(
    'machines set <machine> <state>',
    'sets the wanted state: `active`, `drained`, `maintenance` or `quarantined`',
    { reason: REASON },
    ({ api }, [name = '', state = ''], { reason }) => setMachine(api, name, parseDesired(state), reason),
  ),
  command(
    'machines drain <machine>',
    'gives a machine no new work; what runs on it continues',
    { reason: REASON },
    ({ api }, [name = ''], { reason }) => setMachine(api, name, 'drained', reason),
  ),
  command(
    'machines move <machine> <agent>',
    'assigns a machine to another agent, of any site',
    {},
    ({ api }, [machine = '', agent = '']) => moveMachine(api, machine, agent),
  ),
  command(
    'machines forget <machine>',
    'frees the name of a machine that no agent reports',
    {},
    ({ api }, [machine = '']) => forgetMachine(api, machine),
  ),
  command(
    'reserve <machine>',
    'keeps a machine from jobs for you, as soon as what runs on it has ended; again, it counts the time from now',
    {
      for: { flags: '--for <time>', help: 'how long: `90m`, `2h`, `3d`, at most `7d`', kind: 'text', isRequired: true },
      reason: REASON,
    },
    ({ api }, [machine = ''], options) => reserveMachine(api, machine, options),
  ),
  command(
    'return <machine>',
    'gives a reserved machine back before its time; its agent restores it before jobs take it',
    { reason: { flags: '--reason <text>', help: 'needed when somebody else reserved it; it is kept', kind: 'text' } },
    ({ api }, [machine = ''], { reason }) => returnMachine(api, machine, reason),
  ),
  command(
    'reservations [machine]',
    'lists who has which machine until when and why, and how the newest reservations ended',
    {},
    ({ api }, [machine]) => listReservations(api, machine),
  ),
  command(
    'console <machine>',
    'prints what the serial console of a machine prints, from its last lines on, until you end it',
    {},
    async (context, [machine = '']) => {
      await runTerminal(context, machine, 'console');
      return null;
    },
  ),
  command(
    'ssh <machine>',
    'a shell on a machine that you have reserved, through the controller and its agent. What it prints is kept, what you type is not',
    {},
    async (context, [machine = '']) => {
      await runTerminal(context, machine, 'shell');
      return null;
    },
  ),
  command(
    'terminals <machine>',
    'lists who had a shell or the console of a machine; of each what was printed last is kept',
    { print: { flags: '--print <terminal>', help: 'print what is kept of this one', kind: 'text' } },
    ({ api }, [machine = ''], { print }) => showTerminals(api, machine, print),
  ),
  command(
    'health <machine>',
    'whether a machine serves, when it passed a health check last, how its checks ended, and what its hardware told',
    {},
    ({ api }, [machine = '']) => showHealth(api, machine),
  ),
  command(
    'health check <machine>',
    'checks a machine with the kernel that is known to be good, as soon as it is free',
    {
      reason: REASON,
      hold: { flags: '--hold', help: 'it takes nothing else until it has passed', kind: 'flag' },
    },
    ({ api }, [machine = ''], options) => checkHealth(api, machine, options),
  ),
  command(
    'machine check <machine>',
    'on the host of its agent: looks at a machine of the config and says of everything that the farm needs whether it is there, with the remedy',
    { ...ENROLMENT, confirm: CONFIRM },
    (context, [name = ''], options) => enrolHere(context, ['check', name, ...passedOn(options)]),
  ),
  command(
    'machine add <machine>',
    'on the host of an agent: confirms the host key with you, checks a new machine as `machine check` does, and writes it into the config when nothing failed',
    {
      ...ENROLMENT,
      confirm: CONFIRM,
      host: { flags: '--host <host>', help: 'where it answers by SSH', kind: 'text', isRequired: true },
      port: { flags: '--port <number>', help: 'its SSH port, 22 unless given', kind: 'text' },
      user: { flags: '--user <name>', help: 'who logs in, root unless given', kind: 'text' },
      sudo: { flags: '--sudo', help: 'who logs in becomes root by sudo, without a password', kind: 'flag' },
      key: { flags: '--key <file>', help: 'private key that logs in', kind: 'text', isRequired: true },
      fingerprint: { flags: '--fingerprint <SHA256:…>', help: 'its host key; without it you are asked', kind: 'text' },
      bmc: { flags: '--bmc <name>', help: 'its BMC, as the config names it: power', kind: 'text' },
      powerFile: {
        flags: '--power-file <file>',
        help: 'in place of --bmc: a YAML file with what stands under `power:` of a config, one way to its power or a list',
        kind: 'text',
      },
      console: { flags: '--console <where>', help: '`sol`, `sol:BMC`, `tcp:HOST:PORT` or `file:PATH`', kind: 'text' },
      labels: { flags: '--labels <list>', help: 'what runs select by: `KEY=VALUE,KEY=VALUE`', kind: 'text' },
      description: { flags: '--description <text>', help: 'for people', kind: 'text' },
    },
    (context, [name = ''], options) => enrolHere(context, ['add', name, ...passedOn(options)]),
  ),
  command(
    'machine configure <machine>',
    'on the host of its agent: makes a kernel configuration out of that of the machine’s own kernel, with the modules that it needs, for runs to name (`config: NAME`, or `config: machine` for each machine its own), and prints what differs from its kernel',
    {
      config: CONFIG_OF_AGENT,
      as: { flags: '--as <name>', help: 'what runs call it; the name of the machine unless given', kind: 'text' },
      allModules: {
        flags: '--all-modules',
        help: 'keep the modules of every other machine, too: a build takes hours',
        kind: 'flag',
      },
    },
    (context, [name = ''], options) => enrolHere(context, ['configure', name, ...passedOn(options)]),
  ),
  command('agents', 'lists the agents with site, state, capabilities and version', {}, ({ api }) => listAgents(api)),
  command(
    'agents move <agent> <site>',
    'assigns an agent with its machines to a site; it may take over machines of absent agents there',
    {},
    ({ api }, [agent = '', site = '']) => moveAgent(api, agent, site),
  ),
  command('retention', 'prints limits, used space, pinned runs and the newest removals', {}, (context) =>
    showRetention(context),
  ),
  command('retention plan', 'prints what would be removed now, and removes nothing', {}, (context) =>
    planRetention(context),
  ),
  command(
    'retention run',
    'removes old evidence now; controllers also do so at regular intervals',
    { yes: { flags: '--yes', help: 'needed: what is removed is gone for good', kind: 'flag' } },
    (context, _, { yes }) => runRetention(context, yes),
  ),
  command(
    'retention pin <run>',
    'keeps a run with its logs, results and bundles',
    { reason: { flags: '--reason <text>', help: 'reason, shown to other users', kind: 'text' } },
    (context, [run = ''], { reason }) => pinRun(context, run, true, reason),
  ),
  command('retention unpin <run>', 'allows retention to delete the run', {}, (context, [run = '']) =>
    pinRun(context, run, false, undefined),
  ),
];
