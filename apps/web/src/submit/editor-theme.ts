import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** The editor in the colours of styles/tokens.css, which also apply inside its shadow root. */
export function editorTheme(): Extension {
  return [EditorView.theme(RULES), syntaxHighlighting(COLOURS)];
}

const COLOURS = HighlightStyle.define([
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
  { tag: tags.propertyName, color: 'var(--accent)' },
  { tag: tags.string, color: 'var(--good)' },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: 'var(--muted)' },
]);

const FIELD = {
  minHeight: '26px',
  border: '1px solid var(--strong-line)',
  borderRadius: '5px',
  background: 'var(--surface)',
  color: 'var(--text)',
  fontSize: '0.75rem',
};

const RULES: Parameters<typeof EditorView.theme>[0] = {
  '&': { height: '100%', color: 'var(--text)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { font: '13px / 20px var(--mono)' },
  '.cm-content': { padding: '8px 0', caretColor: 'var(--text)' },
  '.cm-line': { padding: '0 12px' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { borderRight: '1px solid var(--line)', background: 'var(--sunken)', color: 'var(--muted)' },
  '.cm-lineNumbers .cm-gutterElement': { minWidth: '30px', padding: '0 4px 0 8px' },
  '.cm-gutter-lint': { width: '18px' },
  '.cm-gutter-lint .cm-gutterElement': { padding: '0' },
  '.cm-lint-marker-error': {
    width: '18px',
    height: '20px',
    background: 'var(--bad)',
    color: 'var(--surface)',
    content: 'none',
    fontWeight: '700',
    textAlign: 'center',
  },
  '.cm-lint-marker-error::before': { content: '"!"' },
  '.cm-lintRange-error': {
    background: 'var(--bad-soft)',
    textDecoration: 'underline wavy var(--bad)',
    textUnderlineOffset: '3px',
  },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'var(--line)',
  },
  '.cm-selectionMatch, .cm-searchMatch': { background: 'var(--warn-soft)' },
  '.cm-searchMatch-selected': { outline: '1px solid var(--warn)' },
  '.cm-tooltip': {
    zIndex: '20',
    overflow: 'hidden',
    border: '1px solid var(--strong-line)',
    borderRadius: '6px',
    background: 'var(--surface)',
    boxShadow: '0 6px 18px rgb(0 0 0 / 20%)',
    color: 'var(--text)',
  },
  '.cm-tooltip.cm-tooltip-autocomplete': { overflow: 'visible' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': {
    maxWidth: 'min(460px, 92vw)',
    maxHeight: '268px',
    padding: '4px',
    font: '13px / 20px var(--mono)',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': {
    display: 'flex',
    gap: '20px',
    justifyContent: 'space-between',
    padding: '3px 8px',
    borderRadius: '4px',
    lineHeight: '20px',
  },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { background: 'var(--accent-soft)', color: 'var(--text)' },
  '.cm-completionLabel': { overflow: 'hidden', textOverflow: 'ellipsis' },
  '.cm-completionMatchedText': { color: 'var(--accent)', fontWeight: '700', textDecoration: 'none' },
  '.cm-completionDetail': {
    flex: 'none',
    margin: '0',
    color: 'var(--muted)',
    font: '12px / 20px var(--font)',
  },
  '.cm-tooltip.cm-completionInfo': {
    width: 'max-content',
    maxWidth: 'min(280px, 60vw)',
    padding: '8px 10px',
    font: '13px / 18px var(--font)',
    whiteSpace: 'normal',
  },
  // Without room next to the list, the description is shown below it instead of over it.
  '.cm-completionInfo.cm-completionInfo-left-narrow, .cm-completionInfo.cm-completionInfo-right-narrow': {
    top: '100% !important',
    bottom: 'auto !important',
    right: 'auto',
    left: '0',
    marginTop: '2px',
  },
  '.cm-diagnostic': { padding: '6px 10px', borderLeft: '3px solid var(--bad)', font: '13px / 18px var(--font)' },
  '.cm-panels': { background: 'var(--sunken)', color: 'var(--text)' },
  '.cm-panels.cm-panels-top': { borderBottom: '1px solid var(--line)' },
  '.cm-panel.cm-search': { padding: '6px 30px 6px 8px', font: '13px / 20px var(--font)' },
  '.cm-panel.cm-search label': { fontSize: '0.75rem' },
  '.cm-panel.cm-search .cm-textfield': { ...FIELD, padding: '2px 6px' },
  '.cm-panel.cm-search .cm-button': { ...FIELD, backgroundImage: 'none' },
  '.cm-panel.cm-search [name=close]': { width: '26px', height: '26px', color: 'var(--text)' },
};
