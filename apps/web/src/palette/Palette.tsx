import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import type { Grid } from '@peerlab/contracts';
import { useEffect, useMemo, useState, type KeyboardEvent, type ReactNode } from 'react';
import { buildIdQuery, buildsQuery } from '../api/builds.js';
import { crashesQuery } from '../api/crashes.js';
import { fleetQuery } from '../api/fleet.js';
import { metricsQuery, testsQuery } from '../api/over-time.js';
import { runsQuery } from '../api/run-list.js';
import { templatesQuery } from '../api/submissions.js';
import { countOf, countText } from '../ui/numbers.js';
import { setAppearance, useAppearance } from '../ui/theme.js';
import {
  buildIdEntries,
  buildIdTyped,
  ENTRIES_SHOWN,
  matchingEntries,
  paletteEntries,
  type Deed,
  type Entry,
} from './entries.js';
import { PaletteFrame } from './PaletteFrame.js';

const optionId = (index: number): string => `palette-option-${index}`;

/** A dialog that finds everything that has a page by a few letters, and kernels by the start of their build-id. */
export function Palette({
  typed,
  onTyped,
  onClose,
  onHelp,
}: {
  typed: string;
  onTyped: (text: string) => void;
  onClose: () => void;
  onHelp: () => void;
}): ReactNode {
  const [chosen, setChosen] = useState(0);
  const { entries, left } = useEntries();
  const found = useBuildIds(typed);
  const matching = useMemo(() => [...found, ...matchingEntries(entries, typed)], [entries, found, typed]);
  const shown = matching.slice(0, ENTRIES_SHOWN);
  const at = Math.min(chosen, shown.length - 1);
  const perform = useDeed(onHelp);
  useEffect(() => {
    // In a block: newer browsers return a promise, which React would take for a clean-up function.
    document.getElementById(optionId(at))?.scrollIntoView({ block: 'nearest' });
  }, [at]);

  const choose = (entry: Entry | undefined): void => {
    if (entry === undefined) return;
    onClose();
    perform(entry.deed);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const to = stepOf(event, at, shown.length);
    if (to !== null) setChosen(to);
    else if (event.key === 'Enter') choose(shown[at]?.entry);
    else return;
    event.preventDefault();
  };
  const options = shown.map(({ entry, at: letters }, index) => (
    <li
      key={entry.id}
      id={optionId(index)}
      role="option"
      aria-selected={index === at}
      onPointerMove={() => setChosen(index)}
      onClick={() => choose(entry)}
    >
      <span className="palette-kind">{entry.kind}</span>
      <span className="palette-name">{markedLetters(entry.name, letters)}</span>
      <span className="palette-about muted">{entry.about}</span>
      {entry.keys.map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </li>
  ));
  const below = (
    <>
      <p role="status" className={shown.length === 0 ? 'palette-none muted' : 'unseen'}>
        {shown.length === 0
          ? 'No match. You can also enter the id of a run, an attempt or a build, or the start of a build-id.'
          : countOf(shown.length, 'entry', 'entries')}
      </p>
      {(matching.length > shown.length || left !== '') && (
        <p className="palette-cut muted">
          {matching.length > shown.length &&
            `The first ${shown.length} of ${countText(matching.length)} matches: type more to narrow them. `}
          {left}
        </p>
      )}
    </>
  );
  return (
    <PaletteFrame
      typed={typed}
      onTyped={(text) => {
        onTyped(text);
        setChosen(0);
      }}
      onClose={onClose}
      content={{ activeId: shown.length === 0 ? undefined : optionId(at), options, below, onKeyDown }}
    />
  );
}

/** The entry to which an arrow or page key moves, wrapping at both ends; null for another key. */
function stepOf(event: KeyboardEvent, at: number, count: number): number | null {
  if (count === 0) return null;
  const isNext = event.key === 'ArrowDown' || (event.ctrlKey && event.key === 'n');
  const isPrevious = event.key === 'ArrowUp' || (event.ctrlKey && event.key === 'p');
  if (isNext) return (at + 1) % count;
  if (isPrevious) return (at + count - 1) % count;
  if (event.key === 'PageDown') return Math.min(count - 1, at + 8);
  if (event.key === 'PageUp') return Math.max(0, at - 8);
  return null;
}

/** All entries, and what is not among them, in a sentence. */
function useEntries(): { entries: Entry[]; left: string } {
  const queries = useQueryClient();
  const { data: runs, hasNextPage: hasMoreRuns } = useInfiniteQuery(runsQuery());
  const { data: builds, hasNextPage: hasMoreBuilds } = useInfiniteQuery(buildsQuery());
  const fleet = useQuery(fleetQuery()).data;
  const templates = useQuery(templatesQuery()).data;
  const metrics = useQuery(metricsQuery()).data;
  const crashes = useQuery(crashesQuery(undefined)).data;
  const tests = useQuery(testsQuery()).data;
  const left = [
    ...(hasMoreRuns ? ['older runs'] : []),
    ...(hasMoreBuilds ? ['older builds'] : []),
    ...(tests?.isCut === true ? ['further tests'] : []),
  ].join(', ');
  const entries = useMemo(() => {
    // Only grids in the cache; none is fetched for the names of its tests.
    const grids = queries.getQueriesData<Grid>({ queryKey: ['grid'] }).flatMap(([, grid]) => grid ?? []);
    return paletteEntries({
      runs: runs?.pages.flat() ?? [],
      builds: builds?.pages.flat() ?? [],
      machines: fleet?.machines ?? [],
      templates: templates ?? [],
      grids,
      metrics: metrics ?? [],
      crashes: crashes?.crashes ?? [],
      tests: tests?.tests ?? [],
    });
  }, [queries, runs, builds, fleet, templates, metrics, crashes, tests]);
  return { entries, left: left === '' ? '' : `Not searched by name: ${left}.` };
}

/** Pause after the last letter before the farm is asked, in milliseconds. */
const ASK_AFTER_MS = 150;
const NONE: ReturnType<typeof buildIdEntries> = [];

/** Builds whose build-id starts with the typed text, once nothing was typed for a moment. */
function useBuildIds(typed: string): ReturnType<typeof buildIdEntries> {
  const prefix = buildIdTyped(typed);
  const [asked, setAsked] = useState<string | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setAsked(prefix), ASK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [prefix]);
  const { data } = useQuery({ ...buildIdQuery(asked ?? ''), enabled: asked !== null });
  return useMemo(
    () => (prefix === null || asked !== prefix || data === undefined ? NONE : buildIdEntries(data)),
    [asked, data, prefix],
  );
}

function useDeed(onHelp: () => void): (deed: Deed) => void {
  const router = useRouter();
  const appearance = useAppearance();
  return (deed) => {
    switch (deed.type) {
      case 'go':
        router.history.push(deed.to);
        return;
      case 'help':
        onHelp();
        return;
      case 'filter':
        document.querySelector<HTMLInputElement>('[data-filter]')?.focus();
        return;
      case 'appearance':
        setAppearance({ ...appearance, ...deed.change });
    }
  };
}

function markedLetters(name: string, letters: readonly number[]): ReactNode {
  if (letters.length === 0) return name;
  const marked = new Set(letters);
  return [...splitRuns(name, marked)].map(({ text, isMarked }, index) =>
    isMarked ? <mark key={index}>{text}</mark> : <span key={index}>{text}</span>,
  );
}

function* splitRuns(name: string, marked: ReadonlySet<number>): Generator<{ text: string; isMarked: boolean }> {
  let start = 0;
  for (let index = 1; index <= name.length; index += 1) {
    if (index < name.length && marked.has(index) === marked.has(start)) continue;
    yield { text: name.slice(start, index), isMarked: marked.has(start) };
    start = index;
  }
}
