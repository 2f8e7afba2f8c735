import { useState, type ReactNode } from 'react';

/** Copies text to the clipboard, also on a plain-HTTP address, where browsers have no clipboard API. */
export async function copyText(text: string): Promise<void> {
  // The type says that it always exists, but an insecure page has none.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard !== undefined) return clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  // Deprecated, but the only way on an insecure page.
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('the browser refused');
}

/** A button that copies a text and reports the result. `text` may be computed asynchronously. */
export function CopyButton({
  text,
  label,
  children,
  quiet = false,
}: {
  text: string | (() => string | Promise<string>);
  /** Description of the copied text, for the tooltip and for screen readers. */
  label: string;
  children: ReactNode;
  quiet?: boolean;
}): ReactNode {
  const [said, setSaid] = useState<{ text: string; isBad: boolean } | null>(null);
  const copy = async (): Promise<void> => {
    try {
      await copyText(typeof text === 'string' ? text : await text());
      setSaid({ text: 'copied', isBad: false });
    } catch (error) {
      setSaid({ text: `not copied: ${error instanceof Error ? error.message : String(error)}`, isBad: true });
    }
  };
  return (
    <span className="copy">
      <button
        type="button"
        className={quiet ? 'quiet' : ''}
        title={label}
        aria-label={label}
        onClick={() => void copy()}
      >
        {children}
      </button>
      <span role="status" className={said?.isBad === true ? 'copy-said copy-bad' : 'copy-said'}>
        {said?.text}
      </span>
    </span>
  );
}
