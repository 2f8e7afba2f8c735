import { useQuery } from '@tanstack/react-query';
import { defaultSuites, PathKind, RunSpec, Timeouts, type CheckedSeries, type ProblemItem } from '@peerlab/contracts';
import { useId, useMemo, useState, type ReactNode } from 'react';
import { fleetQuery } from '../api/fleet.js';
import { catalogueQuery } from '../api/submissions.js';
import { BuildFields } from './BuildFields.js';
import { readForm, setField, setList, type RunForm as Form } from './form-model.js';
import { LabelPicks } from './LabelPicks.js';
import { Picked } from './Picked.js';
import { RoleFields } from './RoleFields.js';

const PRIORITY = RunSpec.shape.priority.unwrap();
const REPEAT = RunSpec.shape.repeat.unwrap();
const BOOT = Timeouts.shape.bootSeconds.unwrap();
const ATTEMPT = Timeouts.shape.attemptSeconds.unwrap();

interface RunFormProps {
  yaml: string;
  problems: readonly ProblemItem[];
  /** What the check found in the mboxes. */
  series: readonly CheckedSeries[];
  /** Every change of the form is a change of the YAML. */
  onChange: (yaml: string) => void;
}

/** The run as a form. It has no state of its own: it reads the YAML and changes it in place, and keeps comments. */
export function RunForm({ yaml, problems, series, onChange }: RunFormProps): ReactNode {
  const reading = useMemo(() => readForm(yaml), [yaml]);
  // While the text cannot be parsed, the last form stays, greyed out.
  const [last, setLast] = useState<Form | null>(null);
  if (reading.ok && reading.form !== last) setLast(reading.form);
  const form = reading.ok ? reading.form : last;
  const problemAt = (field: string): string | null =>
    problems.find(({ path }) => path === field || path.startsWith(`${field}.`))?.message ?? null;
  return (
    <form className="run-form" aria-label="Run as a form" onSubmit={(event) => event.preventDefault()}>
      {!reading.ok && <p className="notice notice-warn">{reading.why}</p>}
      {form !== null && (
        <fieldset disabled={!reading.ok}>
          <legend className="unseen">The run</legend>
          <Field label="Name" problem={problemAt('name')}>
            {(id) => (
              <input
                id={id}
                type="text"
                value={form.name}
                spellCheck={false}
                onChange={({ target }) => onChange(setField(yaml, ['name'], target.value))}
              />
            )}
          </Field>
          <BuildFields form={form} yaml={yaml} series={series} problemAt={problemAt} onChange={onChange} />
          <Suites form={form} yaml={yaml} problem={problemAt('suites')} onChange={onChange} />
          <Machines form={form} yaml={yaml} problem={problemAt('machines')} onChange={onChange} />
          <RoleFields
            form={form}
            yaml={yaml}
            problem={problemAt('roles') ?? problemAt('relation')}
            onChange={onChange}
          />
          <div className="form-numbers">
            <NumberField
              label="Priority"
              value={form.priority}
              min={PRIORITY.minValue}
              max={PRIORITY.maxValue}
              problem={problemAt('priority')}
              onChange={(value) => onChange(setField(yaml, ['priority'], value))}
            />
            <NumberField
              label="Boots of each"
              value={form.repeat}
              min={REPEAT.minValue}
              max={REPEAT.maxValue}
              problem={problemAt('repeat')}
              onChange={(value) => onChange(setField(yaml, ['repeat'], value === 1 ? undefined : value))}
            />
            <NumberField
              label="Boot limit (s)"
              value={form.bootSeconds}
              min={BOOT.minValue}
              max={BOOT.maxValue}
              problem={problemAt('timeouts.bootSeconds')}
              onChange={(value) => onChange(setField(yaml, ['timeouts', 'bootSeconds'], value))}
            />
            <NumberField
              label="Attempt (s)"
              value={form.attemptSeconds}
              min={ATTEMPT.minValue}
              max={ATTEMPT.maxValue}
              problem={problemAt('timeouts.attemptSeconds')}
              onChange={(value) => onChange(setField(yaml, ['timeouts', 'attemptSeconds'], value))}
            />
          </div>
        </fieldset>
      )}
    </form>
  );
}

function Field({
  label,
  problem,
  children,
}: {
  label: string;
  problem: string | null;
  children: (id: string) => ReactNode;
}): ReactNode {
  const id = useId();
  return (
    <div className="form-field">
      <label htmlFor={id}>{label}</label>
      {children(id)}
      {problem !== null && <p className="form-problem">{problem}</p>}
    </div>
  );
}

/** The suites that there are; where the run names none, those that the farm runs by default are ticked. */
function Suites({
  form,
  yaml,
  problem,
  onChange,
}: {
  form: Form;
  yaml: string;
  problem: string | null;
  onChange: (yaml: string) => void;
}): ReactNode {
  const catalogue = useQuery(catalogueQuery()).data;
  const known = catalogue?.suites ?? [];
  const all = [...known, ...(catalogue?.labSuites ?? [])];
  const waitsFor = catalogue?.waitsFor ?? null;
  return (
    <>
      <Choices
        title="Suites"
        all={[...new Set([...all.map(({ name }) => name), ...form.suites])]}
        about={new Map(all.map(({ name, about = '' }) => [name, about]))}
        chosen={form.suites.length > 0 ? form.suites : defaultSuites({ suites: known })}
        problem={problem}
        onChange={(suites) => onChange(setList(yaml, ['suites'], suites))}
      />
      {waitsFor !== null && <p className="muted">The farm waits for {waitsFor}.</p>}
    </>
  );
}

function Machines({
  form,
  yaml,
  problem,
  onChange,
}: {
  form: Form;
  yaml: string;
  problem: string | null;
  onChange: (yaml: string) => void;
}): ReactNode {
  const fleet = useQuery(fleetQuery());
  const known = fleet.data?.machines.map(({ name }) => name) ?? [];
  return (
    <fieldset className="form-group">
      <legend>Machines</legend>
      <Picked
        label="machine"
        none="any machine; choose …"
        all={known}
        chosen={form.names}
        onChange={(names) => onChange(setList(yaml, ['machines', 'names'], names))}
      />
      <Choices
        title="With a peer path of kind"
        all={PathKind.options}
        chosen={form.paths}
        problem={problem}
        onChange={(paths) => onChange(setList(yaml, ['machines', 'paths'], paths))}
      />
      <div className="form-choices">
        <label>
          <input
            type="checkbox"
            checked={form.allPairs}
            onChange={({ target }) => onChange(setField(yaml, ['pairs'], target.checked ? 'all' : undefined))}
          />
          every provider and client pair, not one of each combination
        </label>
      </div>
      <LabelPicks
        of="every machine"
        labels={form.labels}
        path={['machines', 'labels']}
        yaml={yaml}
        onChange={onChange}
      />
    </fieldset>
  );
}

function Choices({
  title,
  all,
  about,
  chosen,
  problem,
  onChange,
}: {
  title: string;
  all: readonly string[];
  /** Descriptions by value, shown at the pointer. */
  about?: ReadonlyMap<string, string>;
  chosen: readonly string[];
  problem: string | null;
  onChange: (chosen: string[]) => void;
}): ReactNode {
  return (
    <fieldset className="form-group">
      <legend>{title}</legend>
      <div className="form-choices">
        {all.map((value) => (
          <label key={value} title={about?.get(value)}>
            <input
              type="checkbox"
              checked={chosen.includes(value)}
              onChange={({ target }) =>
                onChange(target.checked ? [...chosen, value] : chosen.filter((each) => each !== value))
              }
            />
            {value}
          </label>
        ))}
      </div>
      {problem !== null && <p className="form-problem">{problem}</p>}
    </fieldset>
  );
}

function NumberField({
  label,
  value,
  min,
  max,
  problem,
  onChange,
}: {
  label: string;
  value: number | null;
  min: number | null;
  max: number | null;
  problem: string | null;
  onChange: (value: number | undefined) => void;
}): ReactNode {
  return (
    <Field label={label} problem={problem}>
      {(id) => (
        <input
          id={id}
          type="number"
          min={min ?? undefined}
          max={max ?? undefined}
          title={`${min ?? ''} to ${max ?? ''}`}
          placeholder="default"
          value={value ?? ''}
          onChange={({ target }) => onChange(target.value === '' ? undefined : Number(target.value))}
        />
      )}
    </Field>
  );
}
