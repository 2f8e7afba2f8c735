import { setDiagnostics } from '@codemirror/lint';
import { EditorView } from '@codemirror/view';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import type { ProblemItem } from '@peerlab/contracts';
import { useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, type ReactNode, type Ref } from 'react';
import { buildsQuery } from '../api/builds.js';
import { fleetQuery } from '../api/fleet.js';
import { catalogueQuery } from '../api/submissions.js';
import { knownOf } from './completion/known.js';
import { diagnosticsOf, editorSetup } from './editor-setup.js';
import { changeBetween } from './text-change.js';

export interface EditorHandle {
  /** Puts the cursor at a position, both from 1, and brings it into view. */
  jumpTo: (line: number, column: number) => void;
}

interface YamlEditorProps {
  handle: Ref<EditorHandle>;
  value: string;
  problems: readonly ProblemItem[];
  onChange: (next: string) => void;
  onSubmit: () => void;
  onFile: (file: File) => void;
}

/** Until it is known. */
const NO_CATALOGUE = { suites: [], configs: [] };

/** A text field for YAML: completion over the schema and the farm's names, problems where they stand, files by drop. */
export function YamlEditor({ handle, value, problems, onChange, onSubmit, onFile }: YamlEditorProps): ReactNode {
  const fleet = useQuery(fleetQuery()).data;
  const builds = useInfiniteQuery(buildsQuery()).data;
  const catalogue = useQuery(catalogueQuery()).data;
  const known = useMemo(
    () => knownOf(catalogue ?? NO_CATALOGUE, fleet?.machines ?? [], builds?.pages.flat() ?? []),
    [catalogue, fleet, builds],
  );
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView | null>(null);
  const links = useRef({ value, known, onChange, onSubmit });
  useLayoutEffect(() => {
    links.current = { value, known, onChange, onSubmit };
  });
  useLayoutEffect(() => {
    if (place.current === null) return;
    // Within a shadow root the editor adopts its styles, which a strict Content-Security-Policy allows.
    const root = place.current.shadowRoot ?? place.current.attachShadow({ mode: 'open' });
    const view = new EditorView({
      root,
      parent: root,
      doc: links.current.value,
      extensions: editorSetup({
        known: () => links.current.known,
        onChange: (text) => text !== links.current.value && links.current.onChange(text),
        onSubmit: () => links.current.onSubmit(),
      }),
    });
    editor.current = view;
    return () => view.destroy();
  }, []);
  // Before the next key can be typed, so that what comes from outside never undoes it.
  useLayoutEffect(() => {
    const view = editor.current;
    const change = view === null ? null : changeBetween(view.state.doc.toString(), value);
    if (change !== null) view?.dispatch({ changes: change });
  }, [value]);
  useEffect(() => {
    const view = editor.current;
    view?.dispatch(setDiagnostics(view.state, diagnosticsOf(view.state.doc, problems)));
  }, [problems]);
  useImperativeHandle(handle, () => ({
    jumpTo(number, column) {
      const view = editor.current;
      if (view === null) return;
      const { doc } = view.state;
      const line = doc.line(Math.min(Math.max(1, number), doc.lines));
      const anchor = Math.min(line.to, line.from + column - 1);
      view.focus();
      view.dispatch({
        selection: { anchor, head: line.to },
        effects: EditorView.scrollIntoView(anchor, { y: 'center' }),
      });
    },
  }));
  return (
    <div
      ref={place}
      className="editor"
      onDragOver={(event) => event.dataTransfer.types.includes('Files') && event.preventDefault()}
      onDropCapture={(event) => {
        const file = event.dataTransfer.files[0];
        if (file === undefined) return;
        // Otherwise the editor would put the file's text at the pointer.
        event.preventDefault();
        event.stopPropagation();
        onFile(file);
      }}
    />
  );
}
