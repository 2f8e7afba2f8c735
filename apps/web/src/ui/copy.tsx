import { useState, type ReactNode } from 'react';

/** Puts text on the clipboard, also on a plain-HTTP address, where browsers hide the newer interface. */
export async function copyText(text: string): Promise<void> {
  // Typed as always there; a page that is not served securely has none.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard !== undefined) return clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  // Old, and the only way there.
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('the browser did not allow it');
}

/** A button that copies, and says whether it could. `text` may take its time to make. */
export function CopyButton({
  text,
  label,
  children,
  quiet = false,
}: {
  text: string | (() => string | Promise<string>);
  /** What is copied, for the tooltip and for those who do not see the button. */
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
