import { useSyncExternalStore, type ReactNode } from 'react';

/** One clock for all relative times on the page, ticking once a second while anything listens. */
let now = Date.now();
let ticker: ReturnType<typeof setInterval> | null = null;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  now = Date.now();
  ticker ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || ticker === null) return;
    clearInterval(ticker);
    ticker = null;
  };
}

/** Milliseconds since 1970, renewed once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** A duration in milliseconds as people say it: `340 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`. */
export function durationText(ms: number): string {
  const clamped = Math.max(0, ms);
  if (clamped < 1000) return `${Math.round(clamped)} ms`;
  if (clamped < 10_000) return `${(clamped / 1000).toFixed(1)} s`;
  const seconds = Math.round(clamped / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  const minutes = Math.floor(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** Age of a moment: `just now`, `5 min ago`, `3 h ago`, `12 days ago`. Both in milliseconds since 1970. */
export function ageText(at: number, until: number): string {
  const seconds = Math.max(0, Math.round((until - at) / 1000));
  if (seconds < 10) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days === 1 ? 'yesterday' : `${days} days ago`;
}

/** Local date and time to the minute, as short as they are written here: for lists to choose from. */
export function shortText(at: number): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' });
}

/** Local day, for ends that are days away: `30 Dec 2026`. */
export function dayText(at: number): string {
  return new Date(at).toLocaleDateString(undefined, { year: 'numeric', month: 'short', day: 'numeric' });
}

/** Local date and time to the second, with the zone. */
export function exactText(at: number): string {
  return new Date(at).toLocaleString(undefined, {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  });
}

/** The exact time as titles have it: the local one, and the one of the farm's records. @param at ISO time */
export function titleText(at: string): string {
  return `${exactText(Date.parse(at))}\n${at}`;
}

/** How long ago an ISO time was, exact on hover; a dash for null. */
export function Ago({ at }: { at: string | null }): ReactNode {
  const current = useNow();
  if (at === null) return <span className="muted">–</span>;
  const moment = Date.parse(at);
  return (
    <time dateTime={at} title={titleText(at)}>
      {ageText(moment, current)}
    </time>
  );
}

/** In how long an ISO time comes, exact on hover: `in 5 min`; `now` once it is there. */
export function In({ at }: { at: string }): ReactNode {
  const current = useNow();
  const seconds = Math.ceil((Date.parse(at) - current) / 1000);
  const left = seconds < 60 ? `${seconds} s` : durationText(seconds * 1000);
  return (
    <time dateTime={at} title={titleText(at)}>
      {seconds < 1 ? 'now' : `in ${left}`}
    </time>
  );
}

/** Time between two ISO times; still counting while `to` is null. */
export function Elapsed({ from, to }: { from: string | null; to: string | null }): ReactNode {
  const current = useNow();
  if (from === null) return null;
  const ms = (to === null ? current : Date.parse(to)) - Date.parse(from);
  return <span className="number">{durationText(to === null ? Math.floor(ms / 1000) * 1000 : ms)}</span>;
}
