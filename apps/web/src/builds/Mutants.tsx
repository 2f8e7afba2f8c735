import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { BuildMutants, MutantState, TriedMutant } from '@peerlab/contracts';
import { useState, type ReactNode } from 'react';
import { mutantsQuery } from '../api/coverage.js';
import { ListTable } from '../ui/ListTable.js';
import { countOf, countText } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';

const STATES: Record<MutantState, string> = {
  alive: 'alive',
  'not-reached': 'not reached',
  'not-run': 'not tried',
  killed: 'killed',
  refused: 'refused by the compiler',
  'not-built': 'not built',
};
/** What is shown before everything is asked for: what a reader has to do something about. */
const OPEN: ReadonlySet<MutantState> = new Set(['alive', 'not-reached']);

/** Which mutants of the series the tests of this build notice. For builds whose kernel carries some. */
export function Mutants({ build }: { build: string }): ReactNode {
  const query = useQuery(mutantsQuery(build));
  return (
    <section aria-labelledby="mutants-head">
      <h2 id="mutants-head">Mutants of the series</h2>
      <QuerySection query={query} what="the mutants">
        {(result) => <Tried result={result} />}
      </QuerySection>
    </section>
  );
}

function Tried({ result }: { result: BuildMutants }): ReactNode {
  const { score, counts, mutants, total } = result;
  const [isAll, setAll] = useState(false);
  const shown = isAll ? mutants : mutants.filter(({ state }) => OPEN.has(state));
  const tried = counts.killed + counts.alive + counts['not-reached'];
  const rest = (['not-run', 'refused', 'not-built'] as const).filter((state) => counts[state] > 0);
  return (
    <>
      {score === null ? (
        <p className="muted">No mutant was tried yet.</p>
      ) : (
        <p>
          <strong>Score {score} %</strong>: of {countOf(tried, 'mutant')} tried {countText(counts.killed)} killed,{' '}
          {countText(counts.alive)} alive, {countText(counts['not-reached'])} not reached.
        </p>
      )}
      <p className="muted">
        A mutant is one change of one place that the series adds; killed = a test noticed it, which is what tests are
        for, and no failure of this run.
        {rest.length > 0 && ` ${rest.map((state) => `${countText(counts[state])} ${STATES[state]}`).join(', ')}.`}
        {total > mutants.length && ` ${countText(total - mutants.length)} more could be made.`} What this kernel
        measures is not kept: it carries them all, which makes it slower.
      </p>
      <Without without={result.without} />
      <button type="button" className="mutants-choice" aria-pressed={isAll} onClick={() => setAll(!isAll)}>
        {isAll ? 'Alive and not reached only' : `All ${countText(mutants.length)} mutants`}
      </button>
      <ListTable
        className="mutants"
        rows={shown}
        keyOf={({ number }) => number}
        columns={[
          { name: 'State', render: ({ state }) => <span className={`mutant-${state}`}>{STATES[state]}</span> },
          {
            name: 'Line',
            render: ({ path, line }) => (
              <code>
                {path}:{line}
              </code>
            ),
          },
          { name: 'In', render: (mutant) => <code>{mutant.function}</code> },
          { name: 'Change', render: ({ what }) => <code>{what}</code> },
          { name: 'Tests met', className: 'number', render: ({ tests }) => countText(tests) },
          { name: 'Noticed by', render: (mutant) => <Noticed mutant={mutant} /> },
        ]}
        empty={<p className="muted">No test was missed: nothing is alive, and nothing was not reached.</p>}
      />
    </>
  );
}

function Noticed({ mutant: { test, how, machine } }: { mutant: TriedMutant }): ReactNode {
  if (test === null) return null;
  return (
    <>
      <code>{test}</code>
      {machine !== null && <> on {machine}</>}
      {how !== null && <span className="muted">: {how}</span>}
    </>
  );
}

function Without({ without }: Pick<BuildMutants, 'without'>): ReactNode {
  if (without.length === 0) return null;
  return (
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
  );
}
