import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState, type ReactNode } from 'react';
import { useLiveChannel, useLiveState } from '../api/live-context.js';
import { PAGES, useKeys, withKeys } from '../keys.js';
import { PaletteFrame } from '../palette/PaletteFrame.js';
import { AccountMenu } from './AccountMenu.js';
import { CopyButton } from './copy.js';
import { HelpDialog } from './HelpDialog.js';
import { PageLinks } from './PageLinks.js';
import { Popover } from './Popover.js';
import { Ago } from './time.js';
import { setAppearance, THEMES, useAppearance, type Theme } from './theme.js';
import { TokenDialog } from './TokenDialog.js';

const loadPalette = async () => ({ default: (await import('../palette/Palette.js')).Palette });
const Palette = lazy(loadPalette);
/** Delay before the palette is fetched, so that it does not compete with the first page, in milliseconds. */
const PALETTE_AFTER_MS = 1500;

/** Header, banner, page and dialogs, shared by all pages. */
export function Shell(): ReactNode {
  const [help, setHelp] = useState(false);
  /** Text in the palette's field; null while it is closed. */
  const [palette, setPalette] = useState<string | null>(null);
  const navigate = useNavigate();
  // Fetched ahead, so that entries stand when it opens.
  useEffect(() => {
    // While the controller does not answer, this fails; it is fetched again when the palette opens.
    const timer = setTimeout(() => void loadPalette().catch(() => undefined), PALETTE_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  useKeys({
    palette: () => setPalette(''),
    help: () => setHelp(true),
    ...Object.fromEntries(PAGES.map(({ name, to }) => [name, () => void navigate({ to })])),
    filter: () => document.querySelector<HTMLInputElement>('[data-filter]')?.focus(),
  });
  const field = { typed: palette ?? '', onTyped: setPalette, onClose: () => setPalette(null) };
  return (
    <>
      <a className="skip-link" href="#main">
        Skip to the content
      </a>
      <header className="top">
        <Link to="/" className="brand">
          <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
            <rect width="32" height="32" rx="7" className="brand-tile" />
            <path d="M8 22h5a5 5 0 0 0 5-5v-2a5 5 0 0 1 5-5h1" className="brand-wire" />
            <circle cx="8" cy="22" r="3" className="brand-dot" />
            <circle cx="24" cy="10" r="3" className="brand-dot" />
          </svg>
          <span className="brand-name">Peerlab</span>
        </Link>
        <PageLinks />
        <div className="top-right">
          <LiveDot />
          <button
            type="button"
            className="quiet palette-button"
            onClick={() => setPalette('')}
            aria-label="go to anything"
            title={withKeys('Go to anything', 'palette')}
          >
            <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
              <circle cx="7" cy="7" r="4.5" />
              <path d="m10.5 10.5 3.5 3.5" />
            </svg>
          </button>
          <CopyButton text={() => location.href} label="copy the address of this view" quiet>
            <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
              <path d="M6.5 9.5a3 3 0 0 0 4.3 0l2.3-2.3a3 3 0 0 0-4.3-4.3l-.9.9" />
              <path d="M9.5 6.5a3 3 0 0 0-4.3 0L2.9 8.8a3 3 0 0 0 4.3 4.3l.9-.9" />
            </svg>
          </CopyButton>
          <AppearanceMenu />
          <AccountMenu />
          <button
            type="button"
            className="quiet keys-button"
            onClick={() => setHelp(true)}
            aria-label="keyboard shortcuts"
            title={withKeys('Keyboard', 'help')}
          >
            ?
          </button>
        </div>
      </header>
      <LiveBanner />
      <main id="main" tabIndex={-1}>
        <Outlet />
      </main>
      {help && <HelpDialog onClose={() => setHelp(false)} />}
      {palette !== null && (
        <Suspense fallback={<PaletteFrame {...field} />}>
          <Palette {...field} onHelp={() => setHelp(true)} />
        </Suspense>
      )}
      <TokenDialog />
    </>
  );
}

function LiveDot(): ReactNode {
  const state = useLiveState();
  const title = { open: 'updates arrive as they happen', connecting: 'connecting', paused: 'retrying' }[state];
  return (
    <span className={`live live-${state}`} title={title}>
      <i aria-hidden="true" /> <span className="live-word">{state === 'open' ? 'live' : state}</span>
    </span>
  );
}

function LiveBanner(): ReactNode {
  const state = useLiveState();
  const channel = useLiveChannel();
  const heardAt = channel?.lostAt ?? null;
  return (
    <div role="status">
      {state === 'paused' && (
        <p className="banner">
          Live updates paused, retrying. What you see may be old
          {heardAt !== null && (
            <>
              : the last message came <Ago at={new Date(heardAt).toISOString()} />
            </>
          )}
          .{' '}
          <button type="button" onClick={() => channel?.retryNow()}>
            Retry now
          </button>
        </p>
      )}
    </div>
  );
}

function AppearanceMenu(): ReactNode {
  const appearance = useAppearance();
  return (
    <Popover
      title="Appearance"
      button={
        <>
          <span aria-hidden="true">◑</span>
          <span className="unseen">Appearance</span>
        </>
      }
    >
      <fieldset>
        <legend>Theme</legend>
        {THEMES.map((theme: Theme) => (
          <label key={theme}>
            <input
              type="radio"
              name="theme"
              checked={appearance.theme === theme}
              onChange={() => setAppearance({ ...appearance, theme })}
            />
            {theme}
          </label>
        ))}
      </fieldset>
      <label>
        <input
          type="checkbox"
          checked={appearance.safePalette}
          onChange={(event) => setAppearance({ ...appearance, safePalette: event.target.checked })}
        />
        colours for red-green blindness
      </label>
    </Popover>
  );
}
