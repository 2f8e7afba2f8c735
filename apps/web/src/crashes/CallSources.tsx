import { useQuery } from '@tanstack/react-query';
import { gitText, gitTitle, lineUrl, type BuiltGit, type CallPlace, type SourceLinks } from '@peerlab/contracts';
import { useState, type ReactNode } from 'react';
import { sourceLinksQuery } from '../api/builds.js';
import { LineLink } from '../ui/LineLink.js';
import { countOf } from '../ui/numbers.js';

/** Where addresses of a report are in the source; nothing where that is not known. */
export function CallSources({
  sources,
  build,
  git = null,
  patches = 0,
}: {
  sources: readonly CallPlace[];
  /** Whose lines they are. */
  build: string | null;
  /** The tree that was built; null where it is not of a git repository. */
  git?: BuiltGit | null;
  /** Patches on top of it. */
  patches?: number;
}): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const { data: links } = useQuery({ ...sourceLinksQuery(build ?? ''), enabled: isOpen && build !== null });
  if (sources.length === 0) return null;
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        In the source
        {git !== null && <code title={gitTitle(git)}> {gitText(git)}</code>}
        {patches > 0 && ` with ${countOf(patches, 'patch', 'patches')}`}
      </summary>
      <code className="crash-frames">
        {sources.map((place) => (
          <Place key={place.call} place={place} links={links} />
        ))}
      </code>
      {links != null && links.why !== null && <p className="muted">Lines are not linked: {links.why}.</p>}
      {links != null && links.page !== null && links.changed.length > 0 && (
        <p className="muted">Lines of files that the series changes are not linked: the commit has others there.</p>
      )}
    </details>
  );
}

/** An address with its functions, each below the one that it was inlined into. */
function Place({ place: { call, frames }, links }: { place: CallPlace; links: SourceLinks | undefined }): ReactNode {
  return (
    <>
      {`${call}:\n`}
      {frames.map(({ name, file, line }, at) => (
        <span key={at}>
          {`    ${name} `}
          {file !== null && (
            <LineLink url={line === null || links === undefined ? null : lineUrl(links, file, line)}>
              {line === null ? file : `${file}:${line}`}
            </LineLink>
          )}
          {at < frames.length - 1 ? ' (inlined)\n' : '\n'}
        </span>
      ))}
    </>
  );
}
