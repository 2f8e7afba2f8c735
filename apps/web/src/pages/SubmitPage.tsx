import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useRef, useState, type ReactNode } from 'react';
import { ApiError } from '@peerlab/client';
import { runQuery } from '../api/runs.js';
import { submissionApi, templatesQuery } from '../api/submissions.js';
import { whenThere } from '../lazy-page.js';
import { CheckReport } from '../submit/CheckReport.js';
import { EXAMPLES } from '../submit/examples.js';
import { newRunId } from '../runs/run-id.js';
import { Starters } from '../submit/Starters.js';
import type { EditorHandle } from '../submit/YamlEditor.js';
import { ErrorNotice, Loading, useTitle, WriteError } from '../ui/section.js';

const route = getRouteApi('/submit');
/** Loaded separately, with the YAML parser, so that the page opens without it. */
const RunForm = lazy(whenThere(async () => ({ default: (await import('../submit/RunForm.js')).RunForm })));
const YamlEditor = lazy(whenThere(async () => ({ default: (await import('../submit/YamlEditor.js')).YamlEditor })));
/** Pause in typing after which the text is checked, in milliseconds. */
const CHECK_PAUSE_MS = 350;
const DRAFT_KEY = 'peerlab.draft';

/** Writes a run, shows its problems or its plan at once, and submits it. */
export function SubmitPage(): ReactNode {
  useTitle('Submit a run');
  const [yaml, setYaml] = useState(() => sessionStorage.getItem(DRAFT_KEY) ?? EXAMPLES[0]?.yaml ?? '');
  /** The text before it was replaced as a whole, for one undo step. */
  const [replaced, setReplaced] = useState<string | null>(null);
  const [notice, setNotice] = useState<{ text: string; isBad: boolean } | null>(null);
  const editor = useRef<EditorHandle>(null);
  const navigate = route.useNavigate();
  const { from } = route.useSearch();
  const queries = useQueryClient();

  const settled = useSettled(yaml, CHECK_PAUSE_MS);
  const check = useQuery({
    queryKey: ['check', settled],
    queryFn: ({ signal }) => submissionApi.call('checkRun', { body: { yaml: settled } }, signal),
    enabled: settled.trim() !== '',
    placeholderData: keepPreviousData,
    // The machines change, so the same text can get another answer.
    staleTime: 0,
    gcTime: 0,
  });
  // A text keeps its id, so that it makes no second run where only the answer was lost.
  const sent = useRef({ yaml: '', id: '' });
  const submit = useMutation({
    mutationFn: () => {
      if (sent.current.yaml !== yaml) sent.current = { yaml, id: newRunId() };
      return submissionApi.call('submitRun', { body: sent.current });
    },
    onSuccess: (run) => {
      sent.current = { yaml: '', id: '' };
      sessionStorage.removeItem(DRAFT_KEY);
      void queries.invalidateQueries({ queryKey: ['runs'] });
      void navigate({ to: '/runs/$run', params: { run: run.id } });
    },
  });
  const edit = (next: string): void => {
    setYaml(next);
    sessionStorage.setItem(DRAFT_KEY, next.length < 500_000 ? next : '');
    setNotice(null);
    submit.reset();
  };
  const replace = (next: string, text: string): void => {
    if (next !== yaml) edit(next);
    setReplaced(next === yaml ? null : yaml);
    setNotice({ text, isBad: false });
  };
  const loadAgain = useStartingText(replace);
  const addFile = async (file: File): Promise<void> => {
    const [{ addMbox }, mbox] = await Promise.all([import('../submit/add-mbox.js'), file.text()]);
    const added = addMbox(yaml, file.name, mbox);
    if (added.ok) replace(added.yaml, `Added ${file.name} as build ${added.build}.`);
    else setNotice({ text: added.why, isBad: true });
  };

  const refused = submit.error instanceof ApiError ? submit.error.problem.errors : [];
  const problems = refused.length > 0 ? refused : (check.data?.problems ?? []);
  const isCurrent = settled === yaml && !check.isFetching;
  const canSubmit = yaml.trim() !== '' && !submit.isPending && !(isCurrent && check.data?.ok === false);
  return (
    <>
      <div className="page-head">
        <h1>Submit a run</h1>
      </div>
      <div className="submit">
        <section aria-label="Form" className="card submit-form">
          <Suspense fallback={<Loading what="the form" />}>
            <RunForm yaml={yaml} problems={problems} series={check.data?.series ?? []} onChange={edit} />
          </Suspense>
        </section>
        <section aria-label="Editor" className="submit-editor">
          <Suspense fallback={<EditorLoading />}>
            <YamlEditor
              handle={editor}
              value={yaml}
              problems={problems}
              onChange={edit}
              onSubmit={() => canSubmit && submit.mutate()}
              onFile={(file) => void addFile(file)}
            />
          </Suspense>
          <div className="row submit-actions">
            <button
              type="button"
              className="primary"
              disabled={!canSubmit}
              title="Ctrl+Enter"
              onClick={() => submit.mutate()}
            >
              {submit.isPending ? 'Submitting…' : 'Submit'}
            </button>
            <label className="button">
              Add a patch series (mbox)
              <input
                type="file"
                className="unseen"
                accept=".mbox,.mbx,.patch,.eml,.txt"
                onChange={(event) => {
                  const file = event.target.files?.[0];
                  event.target.value = '';
                  if (file !== undefined) void addFile(file);
                }}
              />
            </label>
            <span className="muted">or drop the file onto the text</span>
          </div>
          <div role="status">
            {notice !== null && (
              <p className={notice.isBad ? 'notice notice-bad' : 'notice notice-quiet'}>
                {notice.text}{' '}
                {!notice.isBad && replaced !== null && (
                  <button
                    type="button"
                    onClick={() => {
                      edit(replaced);
                      setReplaced(null);
                    }}
                  >
                    Undo
                  </button>
                )}
              </p>
            )}
          </div>
          {refused.length === 0 && <WriteError error={submit.error} />}
        </section>
        <section aria-labelledby="check-head" className="card submit-check">
          <h2 id="check-head">What it would do</h2>
          {check.error !== null && <ErrorNotice error={check.error} retry={() => void check.refetch()} />}
          {yaml.trim() === '' ? (
            <p className="muted">Write a run, or start from a template or an example below.</p>
          ) : (
            (check.data !== undefined || check.error === null) && (
              <CheckReport
                report={
                  refused.length > 0 && check.data !== undefined
                    ? { ...check.data, ok: false, problems: refused }
                    : check.data
                }
                isChecking={!isCurrent}
                onJump={(line, column) => editor.current?.jumpTo(line, column)}
              />
            )
          )}
        </section>
        <Starters
          yaml={yaml}
          onChoose={replace}
          onClone={(run) => (run === from ? loadAgain() : void navigate({ search: { from: run }, replace: false }))}
        />
      </div>
    </>
  );
}

function EditorLoading(): ReactNode {
  return (
    <div className="editor">
      <Loading what="the editor" />
    </div>
  );
}

/** Loads the template or the run that the address names, once each. Returns a function that loads the run again. */
function useStartingText(replace: (yaml: string, text: string) => void): () => void {
  const { template, from } = route.useSearch();
  const templates = useQuery({ ...templatesQuery(), enabled: template !== undefined });
  const source = useQuery({ ...runQuery(from ?? ''), enabled: from !== undefined });
  const loaded = useRef<string | null>(null);
  const [, setAsked] = useState(0);
  const named = templates.data?.find(({ name }) => name === template);
  const cloned = source.data;
  useEffect(() => {
    if (named !== undefined && loaded.current !== `template ${named.name}`) {
      loaded.current = `template ${named.name}`;
      replace(named.yaml, `Loaded template ${named.name}.`);
    }
    if (cloned !== undefined && loaded.current !== cloned.id) {
      loaded.current = cloned.id;
      // YAML is a superset of JSON, so a run that was submitted without text can be edited as its specification.
      replace(cloned.yaml ?? JSON.stringify(cloned.spec, null, 2), `Loaded from run ${cloned.name}.`);
    }
  });
  return () => {
    loaded.current = null;
    setAsked((times) => times + 1);
  };
}

/** The value after it did not change for `pauseMs` milliseconds. */
function useSettled(value: string, pauseMs: number): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), pauseMs);
    return () => clearTimeout(timer);
  }, [value, pauseMs]);
  return settled;
}
