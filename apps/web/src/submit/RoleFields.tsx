import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { fleetQuery } from '../api/fleet.js';
import { addRole, removeRole, setField, setList, type FieldPath, type RunForm } from './form-model.js';

/** The machines of each job, where that has several: name, machines and kernels of each role. */
export function RoleFields({
  form,
  yaml,
  problem,
  onChange,
}: {
  form: RunForm;
  yaml: string;
  problem: string | null;
  onChange: (yaml: string) => void;
}): ReactNode {
  const known = useQuery(fleetQuery()).data?.machines.map(({ name }) => name) ?? [];
  const builds = form.builds.map(({ name }) => name);
  return (
    <fieldset className="form-group">
      <legend>Roles</legend>
      {form.roles.length === 0 && <p className="muted">Each job has one machine.</p>}
      {form.roles.map((role, index) => {
        const path: FieldPath = ['roles', index];
        const label = role.name === '' ? `role ${index + 1}` : role.name;
        return (
          <div key={index} className="form-build">
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
              all={known}
              chosen={role.machines}
              onChange={(names) => onChange(setList(yaml, [...path, 'machines', 'names'], names))}
            />
            <Picked
              label={`kernel of ${label}`}
              none={index === 0 ? 'every build; choose …' : 'as the first role; choose …'}
              all={builds}
              chosen={role.builds}
              onChange={(names) => onChange(setList(yaml, [...path, 'builds'], names))}
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
          </div>
        );
      })}
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
      {form.sameLabels.length > 0 && (
        <p className="muted">on machines with the same {form.sameLabels.join(' and ')} (change it in the YAML)</p>
      )}
    </fieldset>
  );
}

/** Names that were chosen, each with a button that removes it, and a list to add one. */
function Picked({
  label,
  none,
  all,
  chosen,
  onChange,
}: {
  label: string;
  none: string;
  all: readonly string[];
  chosen: readonly string[];
  onChange: (names: string[]) => void;
}): ReactNode {
  return (
    <div className="row tight">
      {chosen.map((name) => (
        <button
          key={name}
          type="button"
          className="chip chip-button"
          aria-label={`remove ${label} ${name}`}
          onClick={() => onChange(chosen.filter((each) => each !== name))}
        >
          {name} <span aria-hidden="true">×</span>
        </button>
      ))}
      <select
        aria-label={`add a ${label}`}
        value=""
        onChange={({ target }) => target.value !== '' && onChange([...chosen, target.value])}
      >
        <option value="">{chosen.length === 0 ? none : 'add …'}</option>
        {all
          .filter((name) => !chosen.includes(name))
          .map((name) => (
            <option key={name}>{name}</option>
          ))}
      </select>
    </div>
  );
}
