import { useQuery } from '@tanstack/react-query';
import { seriesText, type CheckedSeries } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { catalogueQuery } from '../api/submissions.js';
import { addBuild, setField, setSource, type FieldPath, type FormSource, type RunForm as Form } from './form-model.js';
import { GitFields } from './GitFields.js';

const SOURCES: readonly (readonly [FormSource, string])[] = [
  ['base', 'untouched base'],
  ['bundled', 'bundled series'],
  ['git', 'git tree'],
];

/** The kernels of a run: what each is made of. */
export function BuildFields({
  form,
  yaml,
  series,
  problemAt,
  onChange,
}: {
  form: Form;
  yaml: string;
  series: readonly CheckedSeries[];
  problemAt: (field: string) => string | null;
  onChange: (yaml: string) => void;
}): ReactNode {
  const repositories = useQuery(catalogueQuery()).data?.repositories ?? [];
  const names = form.builds.map(({ name }) => name);
  const own = problemAt('builds');
  return (
    <fieldset className="form-group">
      <legend>Kernel builds</legend>
      {form.builds.map(({ name, source, detail, git }, index) => {
        const path: FieldPath = ['builds', index];
        return (
          <div key={index} className="form-build">
            <input
              type="text"
              aria-label={`name of build ${index + 1}`}
              value={name}
              spellCheck={false}
              onChange={({ target }) => onChange(setField(yaml, [...path, 'name'], target.value))}
            />
            <select
              aria-label={`what build ${index + 1} is made of`}
              value={source}
              onChange={({ target }) => {
                const chosen = SOURCES.find(([each]) => each === target.value)?.[0];
                if (chosen !== undefined) onChange(setSource(yaml, index, chosen, repositories));
              }}
            >
              {SOURCES.map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
              {source === 'other' && <option value="other">{detail}</option>}
            </select>
            <button
              type="button"
              className="quiet"
              aria-label={`remove build ${name}`}
              title="Remove"
              onClick={() => onChange(setField(yaml, path, undefined))}
            >
              ×
            </button>
            {git !== null && (
              <GitFields
                yaml={yaml}
                index={index}
                git={git}
                onTop={detail}
                repositories={repositories}
                onChange={onChange}
              />
            )}
            {series
              .filter(({ build, buildIndex }) => buildIndex === index && build === name)
              .map((each) => (
                <p key={each.index} className="muted form-series">
                  {seriesText(each)}
                </p>
              ))}
          </div>
        );
      })}
      {own !== null && <p className="form-problem">{own}</p>}
      <p className="row tight">
        <button type="button" onClick={() => onChange(addBuild(yaml, 'base', names))}>
          + base
        </button>
        <button type="button" onClick={() => onChange(addBuild(yaml, 'bundled', names))}>
          + bundled series
        </button>
        <button type="button" onClick={() => onChange(addBuild(yaml, 'git', names, repositories))}>
          + git tree
        </button>
      </p>
    </fieldset>
  );
}
