import { useEffect, useRef, type ReactNode } from 'react';

/**
 * A box that a button opens. Escape closes it and gives the focus back to the button; a click elsewhere closes it, too,
 * and so does Tab when it leaves the box. Every box of this kind is one of these.
 */
export function Popover({
  className = '',
  title,
  button,
  buttonClass,
  children,
}: {
  className?: string;
  /** Tooltip of the button. */
  title?: string;
  /** Content of the button. */
  button: ReactNode;
  buttonClass?: string;
  children: ReactNode;
}): ReactNode {
  const element = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const details = element.current;
    if (details === null) return undefined;
    const close = (): void => {
      details.open = false;
    };
    const onKeyDown = (event: KeyboardEvent): void => {
      if (!details.open || event.key !== 'Escape' || event.defaultPrevented) return;
      // Only the box: the page may have something else that Escape closes.
      event.preventDefault();
      event.stopPropagation();
      close();
      details.querySelector('summary')?.focus();
    };
    const onOutside = ({ target }: Event): void => {
      if (target instanceof Node && target !== document && !details.contains(target)) close();
    };
    document.addEventListener('keydown', onKeyDown, true);
    document.addEventListener('pointerdown', onOutside);
    document.addEventListener('focusin', onOutside);
    return () => {
      document.removeEventListener('keydown', onKeyDown, true);
      document.removeEventListener('pointerdown', onOutside);
      document.removeEventListener('focusin', onOutside);
    };
  }, []);
  return (
    <details ref={element} className={`menu ${className}`}>
      <summary className={buttonClass} title={title}>
        {button}
      </summary>
      <div className="menu-body">{children}</div>
    </details>
  );
}
