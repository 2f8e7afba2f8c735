import {
  columnsBeside,
  bootsStanding,
  bootText,
  figureText,
  foldBoots,
  gitText,
  hardwareOfRole,
  isVirtual,
  markText,
  marksOf,
  metricNames,
  placeNames,
  RATIOS_ONLY,
  textOfRoles,
  unitText,
  type Grid,
  VERDICT_TABLE,
} from '@peerlab/contracts';
import { table, verdictText } from './text.js';

/**
 * The grid for a terminal: a row for each test, a column for each combination × build (one for all boots of it), and the
 * metrics with ratios.
 */
export function renderGrid(source: Grid, colour: boolean): string {
  if (source.columns.length === 0) return 'no results yet';
  const { grid, bootsOf } = foldBoots(source);
  const standingOf = (boots: readonly number[]): string => {
    const own = boots.flatMap((boot) => source.columns[boot] ?? []);
    const [only] = own;
    return only?.boot == null ? '' : own.length > 1 ? bootsStanding(own) : bootText(only.boot);
  };
  const cells = new Map(grid.cells.map((cell) => [`${cell.row}:${cell.column}`, cell]));
  const places = placeNames(grid.columns);
  const markAt = marksOf(grid);
  const sources = grid.columns.map(sourceText);
  const head = [
    ['', ...places.map(({ machine }) => machine)],
    ['path', ...grid.columns.map(pathText)],
    ['build', ...grid.columns.map((c, at) => buildText(c, places[at]?.build ?? '?'))],
    ...(sources.some((source) => source !== '') ? [['source', ...sources]] : []),
    ...(source.columns.some(({ boot }) => boot !== null) ? [['boots', ...bootsOf.map(standingOf)]] : []),
  ];
  const rows = grid.rows.map((row, r) => [
    `${row.suite}/${row.test}`,
    ...grid.columns.map((_, c) => {
      const verdict = verdictText(cells.get(`${r}:${c}`)?.verdict ?? null, colour);
      return markAt(r, c) === undefined ? verdict : `${verdict} (known)`;
    }),
  ]);
  const total = ['verdict', ...grid.columns.map((c) => verdictText(c.verdict, colour))];
  const parts = [table([...head, ...rows, total])];
  const names = metricNames(grid.metrics);
  const metrics = grid.metrics.map((metric, at) => [
    `${names[at] ?? '?'} (${unitText(metric.unit)}, ${metric.better} is better)`,
    ...metric.values.map((v, c) => {
      if (v === null) return '';
      const base = columnsBeside(grid.columns, c)[0] ?? c;
      const reference = base === c ? null : metric.values[base];
      const ratio = reference == null || reference.median === 0 ? '' : ` ×${figureText(v.median / reference.median)}`;
      return `${figureText(v.median)}${ratio}`;
    }),
  ]);
  if (metrics.length > 0) {
    parts.push(table([['metric', ...places.map(({ name }) => name)], ...metrics]));
    if (grid.columns.some(({ combination }) => isVirtual(combination.identity))) parts.push(RATIOS_ONLY);
  }
  const isKnown = ({ row, column }: Grid['cells'][number]): number => (markAt(row, column) === undefined ? 0 : 1);
  const reasons = grid.cells
    .filter((cell) => VERDICT_TABLE[cell.verdict].exitCode !== 0 && cell.reason !== null)
    .toSorted((a, b) => isKnown(a) - isKnown(b));
  if (reasons.length > 0) {
    parts.push(
      reasons
        .slice(0, 40)
        .map((cell) => {
          const mark = markAt(cell.row, cell.column);
          return `${verdictText(cell.verdict, colour)}  ${places[cell.column]?.name ?? '?'}  ${grid.rows[cell.row]?.test ?? '?'}: ${cell.reason}${mark === undefined ? '' : ` (${markText(mark)})`}`;
        })
        .join('\n') + (reasons.length > 40 ? `\n… and ${reasons.length - 40} more` : ''),
    );
  }
  return parts.join('\n\n');
}

type Column = Grid['columns'][number];

/** The kind of the path; of several roles that of each, where they differ. */
function pathText({ combination: { identity }, roles }: Column): string {
  const own = { role: null, text: identity.pathKind };
  return textOfRoles(roles?.map(({ role }) => ({ role, text: hardwareOfRole(identity, role).pathKind })) ?? [own]);
}

/** The kernel with its other names; of several roles those of the first one. */
function buildText({ build: { name, aliases }, roles }: Column, builds: string): string {
  if (aliases.length === 0) return builds;
  const alike = [name, ...aliases].join(' = ');
  return roles === undefined ? alike : `${builds} (${alike})`;
}

function sourceText({ build, roles }: Column): string {
  const parts = roles?.map((each) => ({ role: each.role, git: each.build.git })) ?? [{ role: null, git: build.git }];
  return textOfRoles(parts.map(({ role, git }) => ({ role, text: git === null ? '' : gitText(git) })));
}
