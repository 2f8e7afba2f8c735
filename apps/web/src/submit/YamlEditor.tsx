import type { ProblemItem } from '@peerlab/contracts';
import {
  useImperativeHandle,
  useMemo,
  useRef,
  type DragEvent,
  type KeyboardEvent,
  type ReactNode,
  type Ref,
} from 'react';
import { yamlTokens } from './yaml-tokens.js';

/** Height of a line in pixels; must equal --editor-line in styles/submit.css. */
const LINE_PX = 20;
/** Beyond this many characters the text is shown without colours, so that typing stays quick. */
const COLOUR_MAX = 60_000;

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

/** A text field for YAML: line numbers, colours, problems marked at their lines, files by drop. */
export function YamlEditor({ handle, value, problems, onChange, onSubmit, onFile }: YamlEditorProps): ReactNode {
  const field = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const colours = useRef<HTMLPreElement>(null);
  const lineCount = useMemo(() => value.split('\n').length, [value]);
  const byLine = useMemo(() => {
    const lines = new Map<number, string>();
    for (const { line, message } of problems) {
      if (line !== undefined) lines.set(line, [lines.get(line), message].filter(Boolean).join('\n'));
    }
    return lines;
  }, [problems]);
  useImperativeHandle(handle, () => ({
    jumpTo(line, column) {
      const text = field.current;
      if (text === null) return;
      const start = offsetOf(text.value, line, 1);
      const end = text.value.indexOf('\n', start);
      text.focus();
      text.setSelectionRange(Math.max(start, offsetOf(text.value, line, column)), end < 0 ? text.value.length : end);
      text.scrollTop = Math.max(0, (line - 4) * LINE_PX);
    },
  }));
  const follow = (): void => {
    const { scrollTop = 0, scrollLeft = 0 } = field.current ?? {};
    if (gutter.current !== null) gutter.current.style.transform = `translateY(${-scrollTop}px)`;
    if (colours.current !== null) colours.current.style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
  };
  const isColoured = value.length <= COLOUR_MAX;
  return (
    <div
      className="editor"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event: DragEvent) => {
        event.preventDefault();
        const file = event.dataTransfer.files[0];
        if (file !== undefined) onFile(file);
      }}
    >
      <div className="editor-gutter" aria-hidden="true">
        <div ref={gutter}>
          <pre>{lineNumbers(lineCount)}</pre>
          {[...byLine].map(([line, message]) => (
            <span key={line} className="editor-mark" style={{ top: (line - 1) * LINE_PX }} title={message}>
              {line}
            </span>
          ))}
        </div>
      </div>
      <div className="editor-text">
        {isColoured && (
          <pre ref={colours} className="editor-colours" aria-hidden="true">
            {yamlTokens(value).map(({ kind, text }, index) =>
              kind === null ? (
                text
              ) : (
                <span key={index} className={`yaml-${kind}`}>
                  {text}
                </span>
              ),
            )}
            {'\n'}
          </pre>
        )}
        <textarea
          ref={field}
          className={isColoured ? 'editor-field see-through' : 'editor-field'}
          aria-label="Run as YAML"
          aria-invalid={problems.length > 0}
          aria-describedby="submit-problems"
          spellCheck={false}
          autoCapitalize="off"
          autoCorrect="off"
          wrap="off"
          value={value}
          onChange={(event) => onChange(event.target.value)}
          onScroll={follow}
          onKeyDown={(event) => editKey(event, onChange, onSubmit)}
        />
      </div>
    </div>
  );
}

function lineNumbers(count: number): string {
  return Array.from({ length: count }, (_, index) => index + 1).join('\n');
}

function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let current = 1; current < line; current += 1) {
    const end = text.indexOf('\n', start);
    if (end < 0) return text.length;
    start = end + 1;
  }
  return Math.min(text.length, start + column - 1);
}

/** Ctrl+Enter submits; Enter keeps the indentation. Tab is left alone so that the keyboard can leave the field. */
function editKey(
  event: KeyboardEvent<HTMLTextAreaElement>,
  onChange: (next: string) => void,
  onSubmit: () => void,
): void {
  if (event.key !== 'Enter') return;
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    onSubmit();
    return;
  }
  const field = event.currentTarget;
  const before = field.value.slice(0, field.selectionStart);
  const line = before.slice(before.lastIndexOf('\n') + 1);
  const indent = `${/^[ ]*/.exec(line)?.[0] ?? ''}${/:\s*$/.test(line) ? '  ' : ''}`;
  if (indent === '') return;
  event.preventDefault();
  field.setRangeText(`\n${indent}`, field.selectionStart, field.selectionEnd, 'end');
  onChange(field.value);
}
