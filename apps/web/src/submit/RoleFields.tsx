import { useQuery } from '@tanstack/react-query';
import { defaultSuites, PathKind } from '@peerlab/contracts';
import { useId, type ReactNode } from 'react';
import { fleetQuery } from '../api/fleet.js';
import { catalogueQuery } from '../api/submissions.js';
import { addRole, removeRole, setField, setList, type FieldPath, type FormRole, type RunForm } from './form-model.js';
import { LabelPicks } from './LabelPicks.js';
import { Picked } from './Picked.js';

interface Edited {
  form: RunForm;
  yaml: string;
  onChange: (yaml: string) => void;
}

/** The machines of each job, where that has several: what each role runs, where, and how their machines belong together. */
export function RoleFields({ form, yaml, problem, onChange }: Edited & { problem: string | null }): ReactNode {
  const labels = useQuery(fleetQuery()).data?.machines.flatMap((machine) => Object.keys(machine.labels)) ?? [];
  return (
    <fieldset className="form-group">
      <legend>Roles</legend>
      {form.roles.length === 0 && <p className="muted">Each job has one machine.</p>}
      {form.roles.map((role, index) => (
        <Role key={index} role={role} index={index} form={form} yaml={yaml} onChange={onChange} />
      ))}
      {form.roles.length > 0 && (
        <div className="form-field">
          <span>Machines of one job share the value of</span>
          <Picked
            label="label that the machines share"
            none="no label; choose …"
            all={[...new Set(labels)]}
            chosen={form.sameLabels}
            onChange={(names) => onChange(setList(yaml, ['relation', 'sameLabels'], names))}
          />
        </div>
      )}
      {problem !== null && <p className="form-problem">{problem}</p>}
      <p className="row tight">
        <button
          type="button"
          onClick={() =>
            onChange(
              addRole(
                yaml,
                form.roles.map(({ name }) => name),
              ),
            )
          }
        >
          {form.roles.length === 0 ? '+ several machines in each job' : '+ role'}
        </button>
      </p>
    </fieldset>
  );
}

function Role({ role, index, form, yaml, onChange }: Edited & { role: FormRole; index: number }): ReactNode {
  const id = useId();
  const known = useQuery(fleetQuery()).data?.machines ?? [];
  const catalogue = useQuery(catalogueQuery()).data;
  const suites = form.suites.length > 0 ? form.suites : defaultSuites({ suites: catalogue?.suites ?? [] });
  const path: FieldPath = ['roles', index];
  const label = role.name === '' ? `role ${index + 1}` : role.name;
  const hasMore =
    role.paths.length > 0 || Object.keys(role.labels).length > 0 || role.suites.length > 0 || role.rdmaDevice !== '';
  return (
    <div className="form-build">
      <input
        type="text"
        aria-label={`name of role ${index + 1}`}
        value={role.name}
        spellCheck={false}
        onChange={({ target }) => onChange(setField(yaml, [...path, 'name'], target.value))}
      />
      <Picked
        label={`machine of ${label}`}
        none="any machine; choose …"
        all={known.map(({ name }) => name)}
        chosen={role.machines}
        onChange={(names) => onChange(setList(yaml, [...path, 'machines', 'names'], names))}
      />
      <button
        type="button"
        className="quiet"
        aria-label={`remove role ${label}`}
        title="Remove"
        onClick={() => onChange(removeRole(yaml, index, form.roles.length))}
      >
        ×
      </button>
      <div className="form-role">
        <Picked
          label={`kernel of ${label}`}
          none={index === 0 ? 'every build; choose …' : 'as the first role; choose …'}
          all={form.builds.map(({ name }) => name)}
          chosen={role.builds}
          onChange={(names) => onChange(setList(yaml, [...path, 'builds'], names))}
        />
        <details open={hasMore || undefined}>
          <summary>Labels, path, suites and port of {label}</summary>
          <LabelPicks
            of={label}
            labels={role.labels}
            path={[...path, 'machines', 'labels']}
            yaml={yaml}
            onChange={onChange}
          />
          <Picked
            label={`kind of peer path of ${label}`}
            none="any kind of path; choose …"
            all={PathKind.options}
            chosen={role.paths}
            onChange={(kinds) => onChange(setList(yaml, [...path, 'machines', 'paths'], kinds))}
          />
          <Picked
            label={`suite of ${label}`}
            none="every suite of the run; choose …"
            all={suites}
            chosen={role.suites}
            onChange={(names) => onChange(setList(yaml, [...path, 'suites'], names))}
          />
          <label htmlFor={id}>RDMA device of {label}</label>
          <input
            id={id}
            type="text"
            list={`${id}-devices`}
            placeholder="any port"
            value={role.rdmaDevice}
            spellCheck={false}
            onChange={({ target }) => onChange(setField(yaml, [...path, 'rdmaDevice'], target.value || undefined))}
          />
          <datalist id={`${id}-devices`}>
            {(catalogue?.rdmaDevices ?? []).map((device) => (
              <option key={device} value={device} />
            ))}
          </datalist>
        </details>
      </div>
    </div>
  );
}
