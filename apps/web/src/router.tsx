import type { QueryClient } from '@tanstack/react-query';
import { createRootRouteWithContext, createRoute, createRouter } from '@tanstack/react-router';
import { lazyRouteComponent } from './lazy-page.js';
import { CHUNK_LINES, chunkStart } from './logs/chunks.js';
import { GridPage } from './pages/GridPage.js';
import { NotFoundPage, PageError } from './pages/NotFoundPage.js';
import {
  AdminSearch,
  AttemptSearch,
  CompareSearch,
  CrashesSearch,
  BuildSearch,
  BuildsSearch,
  GridSearch,
  HardwareSearch,
  HistorySearch,
  MachineSearch,
  MachinesSearch,
  parseSearch,
  RunsSearch,
  stringifySearch,
  SubmitSearch,
  TrendsSearch,
  TwinsSearch,
} from './search.js';
import { Shell } from './ui/Shell.js';

type Raw = Record<string, unknown>;

/** Fetches what the page of an attempt shows first. What fails here, the page fetches again. */
async function prefetchAttempt(queries: QueryClient, attempt: string, search: AttemptSearch): Promise<void> {
  const api = await import('./api/attempts.js').catch(() => null);
  if (api === null) return;
  const { view, stream, line, role } = search;
  const isLogShown = view !== 'evidence' && stream !== undefined && stream !== 'all' && line !== undefined;
  await Promise.all([
    queries.prefetchQuery(api.attemptQuery(attempt)),
    isLogShown && queries.prefetchQuery(api.logLinesQuery(attempt, stream, chunkStart(line - 1), CHUNK_LINES, role)),
  ]);
}

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  component: Shell,
  notFoundComponent: NotFoundPage,
  errorComponent: PageError,
});
const grid = createRoute({
  getParentRoute: () => root,
  path: '/',
  validateSearch: (raw: Raw): GridSearch => GridSearch.parse(raw),
  component: GridPage,
});
const runs = createRoute({
  getParentRoute: () => root,
  path: '/runs',
  validateSearch: (raw: Raw): RunsSearch => RunsSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/RunsPage.js'), 'RunsPage'),
});
const run = createRoute({
  getParentRoute: () => root,
  path: '/runs/$run',
  component: lazyRouteComponent(() => import('./pages/RunPage.js'), 'RunPage'),
});
const attempt = createRoute({
  getParentRoute: () => root,
  path: '/attempts/$attempt',
  validateSearch: (raw: Raw): AttemptSearch => AttemptSearch.parse(raw),
  // Fetched while the code of the page loads; not when the pointer passes a link, and not after a click on a line.
  loader: ({ context: { queries }, params, cause, location }) => {
    if (cause === 'enter') void prefetchAttempt(queries, params.attempt, AttemptSearch.parse(location.search));
  },
  component: lazyRouteComponent(() => import('./pages/AttemptPage.js'), 'AttemptPage'),
});
const history = createRoute({
  getParentRoute: () => root,
  path: '/history',
  validateSearch: (raw: Raw): HistorySearch => HistorySearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/HistoryPage.js'), 'HistoryPage'),
});
const compare = createRoute({
  getParentRoute: () => root,
  path: '/compare',
  validateSearch: (raw: Raw): CompareSearch => CompareSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/ComparePage.js'), 'ComparePage'),
});
const hardware = createRoute({
  getParentRoute: () => root,
  path: '/compare/hardware',
  validateSearch: (raw: Raw): HardwareSearch => HardwareSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/HardwarePage.js'), 'HardwarePage'),
});
const twins = createRoute({
  getParentRoute: () => root,
  path: '/compare/machines',
  validateSearch: (raw: Raw): TwinsSearch => TwinsSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/TwinsPage.js'), 'TwinsPage'),
});
const trends = createRoute({
  getParentRoute: () => root,
  path: '/trends',
  validateSearch: (raw: Raw): TrendsSearch => TrendsSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/TrendsPage.js'), 'TrendsPage'),
});
const machines = createRoute({
  getParentRoute: () => root,
  path: '/machines',
  validateSearch: (raw: Raw): MachinesSearch => MachinesSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/MachinesPage.js'), 'MachinesPage'),
});
const machine = createRoute({
  getParentRoute: () => root,
  path: '/machines/$machine',
  validateSearch: (raw: Raw): MachineSearch => MachineSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/MachinePage.js'), 'MachinePage'),
});
const machineConsole = createRoute({
  getParentRoute: () => root,
  path: '/machines/$machine/console',
  component: lazyRouteComponent(() => import('./pages/TerminalPage.js'), 'ConsolePage'),
});
const machineShell = createRoute({
  getParentRoute: () => root,
  path: '/machines/$machine/shell',
  component: lazyRouteComponent(() => import('./pages/TerminalPage.js'), 'ShellPage'),
});
const terminalRecord = createRoute({
  getParentRoute: () => root,
  path: '/machines/$machine/terminals/$terminal',
  component: lazyRouteComponent(() => import('./pages/TerminalRecordPage.js'), 'TerminalRecordPage'),
});
const builds = createRoute({
  getParentRoute: () => root,
  path: '/builds',
  validateSearch: (raw: Raw): BuildsSearch => BuildsSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/BuildsPage.js'), 'BuildsPage'),
});
const build = createRoute({
  getParentRoute: () => root,
  path: '/builds/$build',
  validateSearch: (raw: Raw): BuildSearch => BuildSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/BuildPage.js'), 'BuildPage'),
});
const crashes = createRoute({
  getParentRoute: () => root,
  path: '/crashes',
  validateSearch: (raw: Raw): CrashesSearch => CrashesSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/CrashesPage.js'), 'CrashesPage'),
});
const crash = createRoute({
  getParentRoute: () => root,
  path: '/crashes/$crash',
  component: lazyRouteComponent(() => import('./pages/CrashPage.js'), 'CrashPage'),
});
const admin = createRoute({
  getParentRoute: () => root,
  path: '/admin',
  validateSearch: (raw: Raw): AdminSearch => AdminSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/AdminPage.js'), 'AdminPage'),
});
const submit = createRoute({
  getParentRoute: () => root,
  path: '/submit',
  validateSearch: (raw: Raw): SubmitSearch => SubmitSearch.parse(raw),
  component: lazyRouteComponent(() => import('./pages/SubmitPage.js'), 'SubmitPage'),
});

const ROUTER_OPTIONS = {
  routeTree: root.addChildren([
    grid,
    runs,
    run,
    attempt,
    history,
    compare,
    hardware,
    twins,
    trends,
    machines,
    machine,
    machineConsole,
    machineShell,
    terminalRecord,
    builds,
    build,
    crashes,
    crash,
    submit,
    admin,
  ]),
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
  scrollRestoration: true,
  defaultErrorComponent: PageError,
} as const;

/** The router. Pages that fetch data while their code loads keep it in `queries`. */
export const createPages = (queries: QueryClient) => createRouter({ ...ROUTER_OPTIONS, context: { queries } });

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createPages>;
  }
}
