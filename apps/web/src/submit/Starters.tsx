import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState, useSyncExternalStore, type FormEvent, type ReactNode } from 'react';
import { runsQuery } from '../api/run-list.js';
import { templatesQuery } from '../api/submissions.js';
import { QuerySection } from '../ui/section.js';
import { ageText, useNow } from '../ui/time.js';
import { EXAMPLES } from './examples.js';
import { createOwnTemplates } from './own-templates.js';

const ownTemplates = createOwnTemplates({
  // Asked for each time: the browser may forbid it, which is an error of each access.
  getItem: (key) => localStorage.getItem(key),
  setItem: (key, value) => localStorage.setItem(key, value),
});

/** Ways to begin: the farm's templates, examples, one's own, and earlier runs. */
export function Starters({
  yaml,
  onChoose,
  onClone,
}: {
  /** What would be kept as one's own template. */
  yaml: string;
  onChoose: (yaml: string, text: string) => void;
  onClone: (run: string) => void;
}): ReactNode {
  const templates = useQuery(templatesQuery());
  return (
    <section aria-labelledby="starters-head" className="starters">
      <div className="section-head">
        <h2 id="starters-head">Start from</h2>
        <CloneRun onClone={onClone} />
      </div>
      <QuerySection query={templates} what="the templates">
        {(list) => (
          <ul className="starter-list">
            {list.map(({ name, description, yaml: text }) => (
              <Starter
                key={name}
                kind="template"
                title={name}
                about={description}
                onChoose={() => onChoose(text, `Loaded template ${name}.`)}
              />
            ))}
            {EXAMPLES.map(({ title, about, yaml: text }) => (
              <Starter
                key={title}
                kind="example"
                title={title}
                about={about}
                onChoose={() => onChoose(text, `Loaded example “${title}”.`)}
              />
            ))}
          </ul>
        )}
      </QuerySection>
      <OwnStarters yaml={yaml} onChoose={onChoose} />
    </section>
  );
}

function Starter({
  kind,
  title,
  about,
  onChoose,
}: {
  kind: string;
  title: string;
  about: string;
  onChoose: () => void;
}): ReactNode {
  return (
    <li>
      <button type="button" onClick={onChoose}>
        <span className="row tight">
          <strong>{title}</strong> <span className="chip">{kind}</span>
        </span>
        <span className="muted">{about}</span>
      </button>
    </li>
  );
}

function CloneRun({ onClone }: { onClone: (run: string) => void }): ReactNode {
  const runs = useInfiniteQuery(runsQuery());
  const now = useNow();
  const list = runs.data?.pages.flat() ?? [];
  return (
    <label className="inline-field push">
      a clone of
      <select value="" disabled={list.length === 0} onChange={({ target }) => onClone(target.value)}>
        <option value="">{list.length === 0 ? 'no run yet' : 'a run …'}</option>
        {list.map(({ id, name, createdAt }) => (
          <option key={id} value={id}>
            {name} · {ageText(Date.parse(createdAt), now)}
          </option>
        ))}
      </select>
    </label>
  );
}

function OwnStarters({ yaml, onChoose }: { yaml: string; onChoose: (yaml: string, text: string) => void }): ReactNode {
  const own = useSyncExternalStore(ownTemplates.subscribe, ownTemplates.list);
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const save = (event: FormEvent): void => {
    event.preventDefault();
    const why = ownTemplates.save(name, yaml);
    setProblem(why);
    if (why === null) setName('');
  };
  return (
    <section aria-labelledby="own-head">
      <h3 id="own-head">Your own templates</h3>
      {own.length > 0 && (
        <ul className="own-list">
          {own.map((template) => (
            <li key={template.name} className="joined">
              <button type="button" onClick={() => onChoose(template.yaml, `Loaded “${template.name}”.`)}>
                {template.name}
              </button>
              <button
                type="button"
                aria-label={`remove your template ${template.name}`}
                title="Remove"
                onClick={() => ownTemplates.remove(template.name)}
              >
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
      <form className="row tight" onSubmit={save}>
        <input
          type="text"
          aria-label="name of the template"
          placeholder="name"
          value={name}
          onChange={({ target }) => setName(target.value)}
        />
        <button type="submit" disabled={name.trim() === '' || yaml.trim() === ''}>
          Save this run as a template
        </button>
        <span className="muted">stored only in this browser</span>
      </form>
      {problem !== null && (
        <p className="notice notice-warn" role="alert">
          Not kept: {problem}.
        </p>
      )}
    </section>
  );
}
