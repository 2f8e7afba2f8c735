import { useLayoutEffect, useRef, type KeyboardEvent, type ReactNode } from 'react';

const LIST_ID = 'palette-list';

/** Entries of the palette and what it says under them; absent while its code is being fetched. */
export interface PaletteContent {
  /** Id of the entry that Enter opens; undefined when there is none. */
  activeId: string | undefined;
  /** Options of the list box. */
  options: ReactNode;
  /** Below the list. */
  below: ReactNode;
  onKeyDown: (event: KeyboardEvent) => void;
}

/**
 * Dialog and field of the palette. It is part of the first script and stands while the entries are fetched, so that no
 * letter that is typed right after the shortcut is lost or taken for a shortcut of the page.
 */
export function PaletteFrame({
  typed,
  onTyped,
  onClose,
  content,
}: {
  typed: string;
  onTyped: (text: string) => void;
  onClose: () => void;
  content?: PaletteContent;
}): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  // Before the next event: a letter between two frames would go to the page.
  useLayoutEffect(() => {
    const element = dialog.current;
    if (element !== null && !element.open) element.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="palette"
      aria-label="Go to anything"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <input
        type="text"
        role="combobox"
        aria-label="Go to anything"
        aria-expanded={content !== undefined}
        aria-controls={LIST_ID}
        aria-autocomplete="list"
        aria-activedescendant={content?.activeId}
        placeholder="Page, run, machine, build, build-id, test, metric, combination…"
        autoComplete="off"
        spellCheck={false}
        value={typed}
        onChange={(event) => onTyped(event.target.value)}
        onKeyDown={content?.onKeyDown}
      />
      <ul id={LIST_ID} role="listbox" aria-label="Matches" aria-busy={content === undefined}>
        {content?.options}
      </ul>
      {content?.below}
    </dialog>
  );
}
