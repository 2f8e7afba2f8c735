import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { countText } from '../ui/numbers.js';

/** Names that stand on the page at once; the others unfold. */
const SHOWN = 6;

/** Tests of one suite, each with a link to its history. */
export function TestNames({ suite, tests }: { suite: string; tests: readonly string[] }): ReactNode {
  const links = (some: readonly string[]): ReactNode =>
    some.map((test, index) => (
      <span key={test}>
        {index > 0 && ', '}
        <Link to="/history" search={{ suite, test }} title="history of this test">
          {test}
        </Link>
      </span>
    ));
  return (
    <span className="tests-named">
      <span className="muted">
        {tests.length === 1 ? `${suite}/` : `${countText(tests.length)} tests of ${suite}: `}
      </span>
      {links(tests.slice(0, SHOWN))}
      {tests.length > SHOWN && (
        <details>
          <summary>and {countText(tests.length - SHOWN)} more</summary>
          {links(tests.slice(SHOWN))}
        </details>
      )}
    </span>
  );
}
