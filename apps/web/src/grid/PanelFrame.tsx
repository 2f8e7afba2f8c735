import { useEffect, useRef, type ReactNode } from 'react';

/** The frame of the evidence next to a grid. It takes the focus when it is mounted; give it a key for each cell. */
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
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
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
          <h2 ref={heading} tabIndex={-1}>
            {test}
          </h2>
        </div>
        <button type="button" className="quiet" onClick={onClose} aria-label="close the evidence" title="Escape">
          ✕
        </button>
      </header>
      {children}
    </aside>
  );
}
