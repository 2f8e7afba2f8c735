import { pickedCompletion, type Completion as ListedCompletion, type CompletionSource } from '@codemirror/autocomplete';
import type { EditorView } from '@codemirror/view';
import { completions, type Completion } from './completions.js';
import type { Known } from './known.js';

/**
 * Completions as the editor lists them. The list opens by itself while a word is typed and where a value is expected.
 * Where a key is expected it waits for a letter, so that Enter keeps adding lines.
 */
export function completionSource(known: () => Known): CompletionSource {
  return ({ state, pos, explicit }) => {
    const found = completions(state.doc.toString(), pos, known());
    if (found === null) return null;
    const { from, to, typed, quote, options } = found;
    const isWhole = options.some(({ kind, label }) => kind === 'value' && label === typed);
    const isUnasked = typed === '' && quote === '' && options.every(({ kind }) => kind === 'key');
    if (!explicit && (isWhole || isUnasked)) return null;
    return { from, to, options: options.map((option, index) => listed(option, index, quote)) };
  };
}

function listed(option: Completion, index: number, quote: string): ListedCompletion {
  const completion: ListedCompletion = {
    label: option.label,
    detail: option.detail,
    type: option.kind,
    // Equal matches are listed in the order of the schema.
    sortText: String(index).padStart(4, '0'),
    apply(view: EditorView, _taken: ListedCompletion, from: number, to: number) {
      const start = from - quote.length;
      const end = quote !== '' && view.state.sliceDoc(to, to + 1) === quote ? to + 1 : to;
      view.dispatch({
        changes: { from: start, to: end, insert: option.insert },
        selection: { anchor: start + option.caret },
        annotations: pickedCompletion.of(completion),
        userEvent: 'input.complete',
        scrollIntoView: true,
      });
    },
  };
  if (option.about !== undefined) completion.info = option.about;
  return completion;
}
