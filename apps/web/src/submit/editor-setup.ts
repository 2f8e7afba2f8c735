import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  startCompletion,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { diagnosticCount, lintGutter, nextDiagnostic, type Diagnostic } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorSelection, type Extension, type Text } from '@codemirror/state';
import { drawSelection, EditorView, keymap, lineNumbers } from '@codemirror/view';
import type { ProblemItem } from '@peerlab/contracts';
import { KEY_MAP, type KeyName } from '../keys.js';
import type { Known } from './completion/known.js';
import { completionSource } from './completion/source.js';
import { editorTheme } from './editor-theme.js';
import { nextIndent } from './text-change.js';

export interface EditorLinks {
  /** Called for each completion, because the machines change. */
  known: () => Known;
  onChange: (text: string) => void;
  onSubmit: () => void;
}

/** Extensions of the YAML editor. Tab leaves it, as it leaves any field, unless a list of completions is open. */
export function editorSetup({ known, onChange, onSubmit }: EditorLinks): Extension {
  return [
    lineNumbers(),
    lintGutter(),
    history(),
    drawSelection(),
    closeBrackets(),
    yaml(),
    editorTheme(),
    highlightSelectionMatches(),
    search({ top: true }),
    autocompletion({
      override: [completionSource(known)],
      activateOnCompletion: () => true,
      icons: false,
      maxRenderedOptions: 200,
      // A keystroke right after the list opened is meant for it: a list that opens by itself waits for a pause anyway.
      interactionDelay: 0,
    }),
    keymap.of([
      { key: editorKey('checkNow'), run: () => (onSubmit(), true) },
      { key: editorKey('complete'), run: startCompletion },
      { key: editorKey('nextProblem'), run: nextDiagnostic },
      { key: 'Tab', run: acceptCompletion },
      { key: 'Enter', run: breakLine },
      ...closeBracketsKeymap,
      ...historyKeymap,
      ...searchKeymap,
      ...defaultKeymap,
    ]),
    EditorView.contentAttributes.of(({ state }) => ({
      'aria-label': 'Run as YAML',
      'aria-invalid': String(diagnosticCount(state) > 0),
      spellcheck: 'false',
      // A long text scrolls, and what scrolls has to be reached by key.
      tabindex: '0',
    })),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) onChange(update.state.doc.toString());
    }),
  ];
}

/** A shortcut as the editor spells it; Ctrl is Command on a Mac. */
const editorKey = (name: KeyName): string => (KEY_MAP[name].keys[0] ?? '').replace('Ctrl+', 'Mod-');

/** Enter keeps the indentation, aligns with the key after a dash, and indents after a key without a value. */
function breakLine(view: EditorView): boolean {
  const { state } = view;
  if (state.readOnly) return false;
  view.dispatch(
    state.update(
      state.changeByRange((range) => {
        const line = state.doc.lineAt(range.from);
        const insert = `${state.lineBreak}${' '.repeat(nextIndent(line.text.slice(0, range.from - line.from)))}`;
        return {
          changes: { from: range.from, to: range.to, insert },
          range: EditorSelection.cursor(range.from + insert.length),
        };
      }),
      { scrollIntoView: true, userEvent: 'input' },
    ),
  );
  return true;
}

/** Problems as marks in the text; those without a line appear only in the list next to the editor. */
export function diagnosticsOf(doc: Text, problems: readonly ProblemItem[]): Diagnostic[] {
  return problems.flatMap(({ line: number, column = 1, message, remedy = '' }) => {
    if (number === undefined || number > doc.lines) return [];
    const line = doc.line(number);
    const from = Math.min(line.to, line.from + column - 1);
    const word = /^(?:[\w.-]+|\S)/.exec(line.text.slice(from - line.from))?.[0].length ?? 0;
    return [{ from, to: from + word, severity: 'error' as const, message: `${message} ${remedy}`.trim() }];
  });
}
