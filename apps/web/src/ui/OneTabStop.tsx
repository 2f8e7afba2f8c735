import { useEffect, useRef, type KeyboardEvent, type ReactNode } from 'react';

/**
 * A row of links that is one stop of the Tab key: the newest (last) link at first, then the one that
 * had the focus last. Arrow keys, Home and End move inside. Works on any links below, SVG ones too.
 */
export function OneTabStop({
  label,
  className,
  children,
}: {
  label: string;
  className: string;
  children: ReactNode;
}): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const links = linksOf(box.current);
    const held = links.find((link) => link.getAttribute('tabindex') === '0') ?? links.at(-1);
    if (held !== undefined) hold(links, held);
  });
  return (
    <div
      ref={box}
      className={className}
      role="group"
      aria-label={label}
      onKeyDown={(event) => {
        const links = linksOf(box.current);
        const next = targetOf(event, links);
        if (next === undefined) return;
        event.preventDefault();
        hold(links, next);
        next.focus();
      }}
    >
      {children}
    </div>
  );
}

type Stop = HTMLElement | SVGElement;

function linksOf(box: HTMLElement | null): Stop[] {
  return [...(box?.querySelectorAll<Stop>('a') ?? [])];
}

function hold(links: readonly Stop[], held: Stop): void {
  for (const link of links) link.setAttribute('tabindex', link === held ? '0' : '-1');
}

function targetOf({ key, ctrlKey, metaKey, altKey }: KeyboardEvent, links: readonly Stop[]): Stop | undefined {
  if (ctrlKey || metaKey || altKey) return undefined;
  const at = links.findIndex((link) => link === document.activeElement);
  switch (key) {
    case 'ArrowLeft':
      return links[Math.max(0, at - 1)];
    case 'ArrowRight':
      return links[Math.min(links.length - 1, at + 1)];
    case 'Home':
      return links[0];
    case 'End':
      return links.at(-1);
    default:
      return undefined;
  }
}
