import { useQuery } from '@tanstack/react-query';
import type { Labels } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { fleetQuery } from '../api/fleet.js';
import { setField, type FieldPath } from './form-model.js';
import { Picked } from './Picked.js';

/** Labels that machines must have, chosen among those that some machine has. A label has one value. */
export function LabelPicks({
  of,
  labels,
  path,
  yaml,
  onChange,
}: {
  /** Whose machines these are. */
  of: string;
  labels: Labels;
  /** Of the map of labels in the YAML. */
  path: FieldPath;
  yaml: string;
  onChange: (yaml: string) => void;
}): ReactNode {
  const known = useQuery(fleetQuery()).data?.machines ?? [];
  const texts = (entries: Labels): string[] => Object.entries(entries).map(([key, value]) => `${key}=${value}`);
  return (
    <Picked
      label={`label of ${of}`}
      none="any label; choose …"
      all={[...new Set(known.flatMap((machine) => texts(machine.labels)))].toSorted()}
      chosen={texts(labels)}
      onChange={(chosen) => {
        const wanted = new Map(chosen.map((text) => [keyOf(text), text.slice(keyOf(text).length + 1)]));
        const gone = Object.keys(labels).filter((key) => !wanted.has(key));
        const without = gone.reduce((text, key) => setField(text, [...path, key], undefined), yaml);
        onChange([...wanted].reduce((text, [key, value]) => setField(text, [...path, key], value), without));
      }}
    />
  );
}

/** Names of labels have no "=". */
const keyOf = (text: string): string => text.slice(0, text.indexOf('='));
