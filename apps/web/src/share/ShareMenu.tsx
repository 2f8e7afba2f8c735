import type { RunDetail } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { attemptApi } from '../api/attempts.js';
import { fleetApi } from '../api/fleet.js';
import { gridApi } from '../api/grid.js';
import { runApi } from '../api/runs.js';
import { CopyButton } from '../ui/copy.js';
import { Popover } from '../ui/Popover.js';

/** The same text as `peerlab report RUN`. */
async function reportText(run: string): Promise<string> {
  const [
    { attemptsOfMatrix, renderReport, renderTwoSided, reportOfRun, twoSidedMatrix, twoSidedSizes },
    detail,
    grid,
    fleet,
  ] = await Promise.all([
    import('./report.js'),
    runApi.call('getRun', { params: { run } }),
    gridApi.call('getGrid', { query: { run } }),
    fleetApi.call('getFleet', {}),
  ]);
  const report = renderReport(reportOfRun(detail, grid, fleet.machines));
  const matrix = twoSidedMatrix(detail);
  if (matrix === null) return report;
  const attempts = [];
  for (const attempt of attemptsOfMatrix(matrix))
    attempts.push(await attemptApi.call('getAttempt', { params: { attempt } }));
  return `${report}\n${renderTwoSided(matrix, twoSidedSizes(attempts))}`;
}

/** Ways to share a run: report, link, badge, print. */
export function ShareMenu({ run }: { run: Pick<RunDetail, 'id' | 'name'> }): ReactNode {
  const page = `${location.origin}/runs/${run.id}`;
  const badge = runApi.pathOf('getBadge', { params: { run: run.id } });
  const name = run.name.replaceAll(/[[\]\\]/g, '\\$&').replaceAll(/\s+/g, ' ');
  return (
    <Popover className="share" button="Share" buttonClass="button">
      <CopyButton text={() => reportText(run.id)} label="copy the report of this run as Markdown">
        Copy as Markdown
      </CopyButton>
      <CopyButton text={page} label="copy the address of this run">
        Copy link
      </CopyButton>
      <CopyButton
        text={`[![${name}](${location.origin}${badge})](${page})`}
        label="copy a badge of this run as Markdown"
      >
        Copy badge
      </CopyButton>
      <p>
        <img src={badge} alt={`badge of ${run.name}`} height="20" />
      </p>
      <button type="button" onClick={() => print()}>
        Print
      </button>
    </Popover>
  );
}
