import type { ReactNode } from 'react';

/** Moves the focus from the grid into the evidence next to it. */
export function focusPanel(): void {
  document.querySelector<HTMLElement>('.panel h2')?.focus({ preventScroll: true });
}

/** The frame of the evidence next to a grid. The focus stays in the grid, whose arrow keys go on to the next cell. */
export function PanelFrame({
  suite,
  test,
  onClose,
  children,
}: {
  suite: string;
  test: string;
  onClose: () => void;
  children: ReactNode;
}): ReactNode {
  return (
    <aside
      className="panel"
      aria-label="Evidence"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        onClose();
      }}
    >
      <header>
        <div>
          <p className="muted">{suite}</p>
          <h2 tabIndex={-1}>{test}</h2>
        </div>
        <button type="button" className="quiet" onClick={onClose} aria-label="close the evidence" title="Escape">
          ✕
        </button>
      </header>
      <p className="unseen" role="status">
        evidence of {test}, Enter goes into it
      </p>
      {children}
    </aside>
  );
}
