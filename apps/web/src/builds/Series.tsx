import { useQuery } from '@tanstack/react-query';
import { diffSize, parsePatch, type BuildDetail, type BuildSource, type PatchSummary } from '@peerlab/contracts';
import { useMemo, type ReactNode } from 'react';
import { buildApi, patchQuery } from '../api/builds.js';
import { countOf, countText } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';
import { DiffCount, DiffFileView } from './DiffFile.js';
import { Download } from '../ui/Download.js';

interface SeriesProps {
  build: BuildDetail;
  /** Numbers of the unfolded patches. */
  open: ReadonlySet<number>;
  onOpen: (numbers: number[]) => void;
}

/** The patches of a build in the order applied; each unfolds into its text. */
export function Series({ build, open, onOpen }: SeriesProps): ReactNode {
  const { patches, sources, missing } = build;
  const total = diffSize(patches.flatMap(({ content }) => content?.files ?? []));
  const readable = patches.filter(({ content }) => content !== null);
  const isAllOpen = readable.length > 0 && readable.every(({ number }) => open.has(number));
  return (
    <section aria-labelledby="series-head">
      <div className="row series-head">
        <h2 id="series-head">Series</h2>
        {patches.length > 0 && (
          <span className="muted">
            {countText(patches.length)} {patches.length === 1 ? 'patch' : 'patches'}
            {sources !== null && sources.length > 0 && <> from {sources.map(sourceText).join(', then ')}</>}
          </span>
        )}
        {readable.length > 0 && <DiffCount {...total} />}
        {readable.length > 0 && (
          <span className="push row">
            <button
              type="button"
              onClick={() => onOpen(isAllOpen ? [] : readable.map(({ number }) => number))}
              aria-pressed={isAllOpen}
            >
              {isAllOpen ? 'Fold all' : 'Unfold all'}
            </button>
            {readable.length === patches.length && (
              <Download
                className="button"
                api={buildApi}
                route="getSeries"
                call={{ params: { build: build.id } }}
                fileName={`${build.id}.mbox`}
              >
                mbox
              </Download>
            )}
          </span>
        )}
      </div>
      {missing !== null && <p className="notice notice-quiet">{missing}</p>}
      {patches.length === 0 && missing === null && (
        <p className="muted">
          No patch: the untouched base{build.manifest !== null && ` ${build.manifest.base.version}`}.
        </p>
      )}
      {patches.length > 0 && (
        <ol className="series">
          {patches.map((patch) => (
            <PatchItem
              key={patch.number}
              build={build.id}
              patch={patch}
              isOpen={open.has(patch.number)}
              onToggle={() => {
                const next = new Set([...open].filter((number) => patches.some((each) => each.number === number)));
                if (!next.delete(patch.number)) next.add(patch.number);
                onOpen([...next].toSorted((a, b) => a - b));
              }}
            />
          ))}
        </ol>
      )}
    </section>
  );
}

function sourceText(source: BuildSource): string {
  switch (source.kind) {
    case 'bundled':
      return 'the bundled series';
    case 'mutant':
      return `the mutant ${source.name}`;
    case 'mbox':
      return `text in the run (${countText(source.characters)} characters)`;
    case 'artifact':
      return `the upload ${source.sha256.slice(0, 12)}`;
  }
}

function PatchItem({
  build,
  patch,
  isOpen,
  onToggle,
}: {
  build: string;
  patch: PatchSummary;
  isOpen: boolean;
  onToggle: () => void;
}): ReactNode {
  const { number, subject, file, content } = patch;
  return (
    <li className="patch" id={`patch-${number}`}>
      <h3>
        <button
          type="button"
          className="patch-toggle"
          aria-expanded={isOpen}
          disabled={content === null}
          onClick={onToggle}
        >
          <span className="number muted">{number}</span>
          <span className="patch-subject">{subject}</span>
          {content !== null && <DiffCount {...diffSize(content.files)} />}
        </button>
      </h3>
      <p className="patch-about muted">
        {content === null ? (
          <>
            <code>{file}</code>, text not stored
          </>
        ) : (
          <>
            {content.author !== null && <>{content.author} · </>}
            {content.files.length === 1 ? content.files[0]?.path : countOf(content.files.length, 'file')}
          </>
        )}
      </p>
      {isOpen && content !== null && <PatchBody build={build} number={number} />}
    </li>
  );
}

function PatchBody({ build, number }: { build: string; number: number }): ReactNode {
  const query = useQuery(patchQuery(build, number));
  return (
    <div className="patch-body">
      <QuerySection query={query} what="the patch">
        {({ text }) => <PatchText text={text} />}
      </QuerySection>
    </div>
  );
}

function PatchText({ text }: { text: string }): ReactNode {
  const patch = useMemo(() => parsePatch(text), [text]);
  return (
    <>
      {patch.date !== null && <p className="muted">{patch.date}</p>}
      {patch.message !== '' && <pre className="patch-message">{patch.message}</pre>}
      {patch.files.map((file, index) => (
        <DiffFileView key={`${index} ${file.path}`} file={file} />
      ))}
      {patch.files.length === 0 && <pre className="patch-message">{text}</pre>}
    </>
  );
}
