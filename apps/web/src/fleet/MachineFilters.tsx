import { useNavigate } from '@tanstack/react-router';
import { MachineDesired, MachineObserved, type MachineSummary } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { MachinesSearch } from '../search.js';
import { FilterField } from '../ui/FilterField.js';
import { readPattern } from '../ui/pattern.js';
import { labelsOf, LOADS } from './machine-filter.js';

type Options = Readonly<Record<string, string>>;

const asWords = (words: readonly string[]): Options => Object.fromEntries(words.map((word) => [word, word]));

/** The filters of the list of machines; each is a part of the address. */
export function MachineFilters({
  search,
  machines,
}: {
  search: MachinesSearch;
  machines: readonly MachineSummary[];
}): ReactNode {
  const navigate = useNavigate({ from: '/machines' });
  const change = (part: Record<string, string | undefined>): void =>
    void navigate({
      search: (before) => MachinesSearch.parse({ ...before, ...part }),
      replace: true,
      resetScroll: false,
    });
  const labels = new Set([...labelsOf(machines), ...(search.label === undefined ? [] : [search.label])]);
  const choices: readonly { name: keyof MachinesSearch; title: string; options: Options }[] = [
    { name: 'state', title: 'State', options: asWords([...MachineObserved.options, ...MachineDesired.options]) },
    { name: 'label', title: 'Label', options: asWords([...labels]) },
    { name: 'health', title: 'Health', options: { ok: 'no problem', problem: 'has a problem' } },
    { name: 'queue', title: 'Queue', options: { waiting: 'jobs wait', empty: 'no job waits' } },
    { name: 'load', title: '7 days', options: LOADS },
  ];
  return (
    <>
      <FilterField
        label="Filter machines"
        placeholder="Filter by name, site, agent, path or problem   ( / )"
        value={search.q ?? ''}
        problem={readPattern(search.q).problem}
        onChange={(next) => change({ q: next || undefined })}
      />
      <span className="choices">
        {choices.map(({ name, title, options }) => (
          <label key={name} className="inline-field">
            {title}
            <select
              value={search[name] ?? ''}
              onChange={(event) => change({ [name]: event.target.value || undefined })}
            >
              <option value="">any</option>
              {Object.entries(options).map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          </label>
        ))}
      </span>
    </>
  );
}
