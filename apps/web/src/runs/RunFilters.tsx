import { useQuery } from '@tanstack/react-query';
import { STATE_CHOICES, VERDICT_CHOICES, VERDICT_TABLE, type RunFilter } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { fleetQuery } from '../api/fleet.js';
import { FilterField } from '../ui/FilterField.js';

const VERDICT_NAMES = VERDICT_CHOICES.map((value) => ({
  value,
  name: value === 'wrong' ? 'any to look at' : VERDICT_TABLE[value].label,
}));
const STATE_NAMES = STATE_CHOICES.map((value) => ({ value, name: value === 'open' ? 'not ended' : value }));

/** Without one tests of kernels are listed. */
const PURPOSES = [{ value: 'health' as const, name: 'health checks' }];

/** The filter of the list of runs. Every part of it is in the address; the controller applies it to all runs. */
export function RunFilters({
  filter,
  onChange,
}: {
  filter: RunFilter;
  onChange: (next: Partial<RunFilter>) => void;
}): ReactNode {
  const fleet = useQuery(fleetQuery());
  const machines = fleet.data?.machines.map(({ name }) => name) ?? [];
  const known = filter.machine === undefined ? machines : [...new Set([...machines, filter.machine])];
  const isSet = Object.values(filter).some((value) => value !== undefined);
  return (
    <form className="run-filters" aria-label="Filter of the runs" onSubmit={(event) => event.preventDefault()}>
      <Choice
        label="Verdict"
        value={filter.verdict}
        choices={VERDICT_NAMES}
        onChange={(verdict) => onChange({ verdict })}
      />
      <Choice
        label="Purpose"
        value={filter.purpose}
        choices={PURPOSES}
        unset="tests of kernels"
        onChange={(purpose) => onChange({ purpose })}
      />
      <Choice label="State" value={filter.state} choices={STATE_NAMES} onChange={(state) => onChange({ state })} />
      <Choice
        label="Machine"
        value={filter.machine}
        choices={known.map((value) => ({ value, name: value }))}
        onChange={(machine) => onChange({ machine })}
      />
      <Text
        label="Kernel"
        hint="build name, release or build-id"
        value={filter.kernel}
        onChange={(kernel) => onChange({ kernel })}
      />
      <Text
        label="Submitter"
        hint="user or webhook"
        value={filter.submitter}
        onChange={(submitter) => onChange({ submitter })}
      />
      <Day label="From" value={filter.from} onChange={(from) => onChange({ from })} />
      <Day label="Until" value={filter.until} onChange={(until) => onChange({ until })} />
      {isSet && (
        <button
          type="button"
          className="quiet"
          onClick={() =>
            onChange({
              q: undefined,
              purpose: undefined,
              verdict: undefined,
              state: undefined,
              kernel: undefined,
              machine: undefined,
              submitter: undefined,
              from: undefined,
              until: undefined,
            })
          }
        >
          Clear the filter
        </button>
      )}
    </form>
  );
}

function Choice<V extends string>({
  label,
  value,
  choices,
  onChange,
  unset = 'any',
}: {
  label: string;
  value: V | undefined;
  choices: readonly { value: V; name: string }[];
  onChange: (next: V | undefined) => void;
  /** What is listed when nothing is chosen. */
  unset?: string;
}): ReactNode {
  return (
    <label className="inline-field">
      {label}
      <select
        value={value ?? ''}
        onChange={({ target }) => onChange(choices.find((choice) => choice.value === target.value)?.value)}
      >
        <option value="">{unset}</option>
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Text({
  label,
  hint,
  value,
  onChange,
}: {
  label: string;
  hint: string;
  value: string | undefined;
  onChange: (next: string | undefined) => void;
}): ReactNode {
  return (
    <FilterField
      label={label}
      placeholder={`${label}: ${hint}`}
      value={value ?? ''}
      maxLength={64}
      isMain={false}
      onChange={(next) => onChange(next || undefined)}
    />
  );
}

function Day({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string | undefined;
  onChange: (next: string | undefined) => void;
}): ReactNode {
  return (
    <label className="inline-field" title="in UTC">
      {label}
      <input type="date" value={value ?? ''} onChange={({ target }) => onChange(target.value || undefined)} />
    </label>
  );
}
