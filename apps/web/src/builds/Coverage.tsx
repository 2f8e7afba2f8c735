import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { coveragePercent, type BuildCoverage, type CoverageFile } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { coverageQuery } from '../api/coverage.js';
import { ListTable } from '../ui/ListTable.js';
import { countOf, countText } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';
import { DiffFileView } from './DiffFile.js';

/** Which lines of the series the tests of this build ran. For builds whose kernel counts. */
export function Coverage({ build }: { build: string }): ReactNode {
  const query = useQuery(coverageQuery(build));
  return (
    <section aria-labelledby="coverage-head">
      <h2 id="coverage-head">Coverage of the series</h2>
      <QuerySection query={query} what="the coverage">
        {(coverage) => <Counted coverage={coverage} />}
      </QuerySection>
    </section>
  );
}

const percentText = (of: { code: number; ran: number }): string => {
  const percent = coveragePercent(of);
  return percent === null ? '–' : `${percent} %`;
};

function Counted({ coverage }: { coverage: BuildCoverage }): ReactNode {
  const { files, totals, attempts, isDiffCut } = coverage;
  if (attempts.length === 0) {
    return (
      <>
        <p className="muted">No attempt has counted anything yet.</p>
        <Sources coverage={coverage} />
      </>
    );
  }
  return (
    <>
      <p>
        <strong>{percentText(totals)}</strong>: {countText(totals.ran)} of {countOf(totals.code, 'added line')} with
        code ran
        {totals.notBuilt > 0 && <>; {countOf(totals.notBuilt, 'added line')} in files that are not built</>}.
      </p>
      <Sources coverage={coverage} />
      <ListTable
        className="coverage-files"
        rows={files}
        keyOf={({ path }) => path}
        columns={[
          { name: 'File', render: ({ path }) => <code>{path}</code> },
          { name: 'Added lines', className: 'number', render: ({ added, notBuilt }) => countText(added + notBuilt) },
          {
            name: 'With code',
            className: 'number',
            render: ({ isBuilt, code }) => (isBuilt ? countText(code) : <span className="muted">not built</span>),
          },
          { name: 'Ran', className: 'number', render: ({ isBuilt, ran }) => (isBuilt ? countText(ran) : '') },
          { name: 'Share', className: 'number', render: (file) => (file.isBuilt ? percentText(file) : '') },
        ]}
      />
      <h3>Line by line</h3>
      {isDiffCut && (
        <p className="notice notice-quiet">The series is so long that lines of some files are left out below.</p>
      )}
      <p className="coverage-legend muted">
        <span className="coverage-ran">✓ ran</span> <span className="coverage-missed">✗ did not run</span>
        <span>no mark: no code of its own, or left out by the configuration</span>
      </p>
      {files
        .filter(({ hunks }) => hunks.length > 0)
        .map((file) => (
          <CoveredFile key={file.path} file={file} />
        ))}
    </>
  );
}

/** What the figures are of, and what they are not of. */
function Sources({ coverage: { attempts, without, isCut } }: { coverage: BuildCoverage }): ReactNode {
  const machines = [...new Set(attempts.map(({ machine }) => machine ?? '?'))].toSorted();
  return (
    <>
      {attempts.length > 0 && (
        <p className="muted">
          Added up over {countOf(attempts.length, 'attempt')} on {machines.join(', ')}
          {isCut && ', the newest ones'}. What this kernel measures is not kept: counting makes it slower.
        </p>
      )}
      {without.length > 0 && (
        <ul className="muted">
          {without.map(({ attemptId, role, machine, why }) => (
            <li key={`${attemptId} ${role}`}>
              Without{' '}
              <Link to="/attempts/$attempt" params={{ attempt: attemptId }}>
                the attempt on {machine ?? '?'}
              </Link>
              : {why}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function CoveredFile({ file }: { file: CoverageFile }): ReactNode {
  const { path, isBuilt, added, notBuilt, hunks } = file;
  const removed = hunks.reduce((sum, { lines }) => sum + lines.filter(({ kind }) => kind === '-').length, 0);
  return (
    <DiffFileView
      file={{ path, oldPath: null, change: 'changed', added: added + notBuilt, removed, hunks }}
      note={isBuilt ? `${percentText(file)} ran` : 'not built'}
    />
  );
}
