/**
 * The user's API token. It comes from `#token=…` in the address (printed by `npm start`) or from the dialog, is kept in
 * localStorage, and never stays in the address bar or in the history.
 */
const STORAGE_KEY = 'peerlab.token';

let token: string | null = readStored();
/** Why the token dialog is open. `missing`: a call needs a token; `refused`: the stored one was refused; `sign-in`: by hand. */
export type TokenQuestion = 'missing' | 'refused' | 'sign-in';

let asking: { promise: Promise<boolean>; answer: (given: boolean) => void; why: TokenQuestion } | null = null;
const listeners = new Set<() => void>();

function readStored(): string | null {
  try {
    return globalThis.localStorage?.getItem(STORAGE_KEY) ?? null;
  } catch {
    return null; // Storage may be forbidden; the token is then kept until the page is closed.
  }
}

function notify(): void {
  for (const listener of listeners) listener();
}

/** Moves a token from the fragment into the store and cleans the address. Call once, before routing. */
export function adoptTokenFromAddress(): void {
  const match = /^#token=([^&]+)/.exec(location.hash);
  if (match?.[1] === undefined) return;
  setToken(safeDecode(match[1]));
  history.replaceState(history.state, '', location.pathname + location.search);
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function getToken(): string | null {
  return token;
}

/** Stores the token, or forgets it when null or empty. */
function setToken(next: string | null): void {
  token = next === '' ? null : next;
  try {
    if (token === null) localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, token);
  } catch {
    // See readStored.
  }
  notify();
}

export function onTokenChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Forgets the token. */
export function signOut(): void {
  setToken(null);
}

/** Opens the dialog; resolves true once a token was given and false when the person declined. */
export function askForToken(why: TokenQuestion): Promise<boolean> {
  if (asking === null) {
    let answer: (given: boolean) => void = () => undefined;
    const promise = new Promise<boolean>((resolve) => {
      answer = resolve;
    });
    asking = { promise, answer, why };
    notify();
  }
  return asking.promise;
}

/** Why the token dialog is open; `closed` when it is not. */
export function tokenQuestion(): 'closed' | TokenQuestion {
  return asking?.why ?? 'closed';
}

/** The dialog's answer: a token that the controller accepts, or null to give up. */
export function answerTokenQuestion(given: string | null): void {
  const question = asking;
  asking = null;
  if (given !== null) setToken(given);
  else notify();
  question?.answer(given !== null);
}
