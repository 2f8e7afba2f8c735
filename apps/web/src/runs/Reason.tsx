import { useQuery } from '@tanstack/react-query';
import { linkPlaces, suiteOfVariant } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { sourceLinksQuery } from '../api/builds.js';
import { LineLink } from '../ui/LineLink.js';

/** Whether a text may name a line of a source; only then is it asked where that is. */
const NAMES_LINE = /\.(?:c|h|S|rs|sh|py):\d/;

/** Why a test did not pass, with links to the lines of the source that it names. */
export function Reason({ text, suite, build }: { text: string; suite: string; build: string | null }): ReactNode {
  const { data } = useQuery({ ...sourceLinksQuery(build ?? ''), enabled: build !== null && NAMES_LINE.test(text) });
  if (data === undefined) return text;
  const folder = data.folders[suiteOfVariant(suite)] ?? null;
  return linkPlaces(text, data, folder).map((part, at) => (
    <LineLink key={at} url={part.url}>
      {part.text}
    </LineLink>
  ));
}
