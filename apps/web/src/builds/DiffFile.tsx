import { diffSize, type DiffFile, type DiffHunk, type DiffLine } from '@peerlab/contracts';
import { useMemo, useState, type ReactNode } from 'react';
import { countOf, countText } from '../ui/numbers.js';

/** A file with more changed lines than this starts folded. */
const FOLDED_ABOVE = 400;

/** Numbers of added and removed lines; the signs tell them apart without colours. */
export function DiffCount({ added, removed }: { added: number; removed: number }): ReactNode {
  return (
    <span className="diff-count number">
      <span className="diff-plus">+{countText(added)}</span>
      <span className="diff-minus">−{countText(removed)}</span>
      <span className="unseen"> lines added and removed</span>
    </span>
  );
}

/** A line of a diff; `ran`: of one that was counted, how many attempts ran it. */
type ShownLine = DiffLine & { ran?: number | undefined };
type ShownHunk = Omit<DiffHunk, 'lines'> & { lines: readonly ShownLine[] };

/** The changes of a patch in one file. `note`: said of it in its head. */
export function DiffFileView({
  file,
  note,
}: {
  file: Omit<DiffFile, 'hunks'> & { hunks: readonly ShownHunk[] };
  note?: string;
}): ReactNode {
  const lines = file.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
  const [isOpen, setOpen] = useState(lines <= FOLDED_ABOVE);
  const { path, oldPath, change } = file;
  return (
    <section className="diff-file" aria-label={`changes to ${path}`}>
      <h4>
        <button type="button" className="diff-name" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <code>
            {oldPath !== null && `${oldPath} → `}
            {path}
          </code>
          {change !== 'changed' && <span className="chip">{change}</span>}
          <DiffCount {...diffSize([file])} />
          {note !== undefined && <span className="muted">{note}</span>}
          {!isOpen && <span className="muted">{countOf(lines, 'line')} folded</span>}
        </button>
      </h4>
      {isOpen && file.hunks.length > 0 && (
        // A region that scrolls by itself: kernel lines are wide, and wrapping would break their columns.
        <div className="diff" tabIndex={0} role="region" aria-label={`diff of ${path}`}>
          {file.hunks.map((hunk, index) => (
            <Hunk key={index} hunk={hunk} />
          ))}
        </div>
      )}
    </section>
  );
}

const SIGNS: Record<string, { name: string; said: string }> = {
  '+': { name: 'add', said: 'added: ' },
  '-': { name: 'del', said: 'removed: ' },
  '\\': { name: 'note', said: '' },
};

/** Line numbers before and after the change, for each line of a hunk. */
function numberLines({ oldStart, newStart, lines }: ShownHunk): { before: number | null; after: number | null }[] {
  let before = oldStart;
  let after = newStart;
  return lines.map(({ kind }) => ({
    before: kind === '-' || kind === ' ' ? before++ : null,
    after: kind === '+' || kind === ' ' ? after++ : null,
  }));
}

/** Of a line that was counted: said to those who do not see the mark, and the mark. */
function RanMark({ ran }: { ran: number }): ReactNode {
  return ran > 0 ? (
    <span className="coverage-ran" title={ran === 1 ? 'ran in 1 attempt' : `ran in ${ran} attempts`}>
      <span className="unseen">ran: </span>
      <span aria-hidden="true">✓</span>
    </span>
  ) : (
    <span className="coverage-missed" title="did not run">
      <span className="unseen">did not run: </span>
      <span aria-hidden="true">✗</span>
    </span>
  );
}

function Hunk({ hunk }: { hunk: ShownHunk }): ReactNode {
  const numbers = useMemo(() => numberLines(hunk), [hunk]);
  return (
    <div className="diff-hunk">
      <div className="diff-line diff-head">
        <span className="diff-number" />
        <span className="diff-number" />
        <span className="diff-text">@@ {hunk.context === '' ? `line ${hunk.newStart}` : hunk.context}</span>
      </div>
      {hunk.lines.map(({ kind, text, ran }, index) => {
        const sign = SIGNS[kind];
        return (
          <div
            key={index}
            className={`diff-line${sign === undefined ? '' : ` diff-${sign.name}`}${ran === 0 ? ' diff-missed' : ''}`}
          >
            <span className="diff-number" aria-hidden="true">
              {numbers[index]?.before}
            </span>
            <span className="diff-number" aria-hidden="true">
              {numbers[index]?.after}
            </span>
            <span className="diff-text">
              {sign !== undefined && sign.said !== '' && <span className="unseen">{sign.said}</span>}
              <span aria-hidden="true">{kind}</span>
              {ran !== undefined && <RanMark ran={ran} />}
              {text}
            </span>
          </div>
        );
      })}
    </div>
  );
}
