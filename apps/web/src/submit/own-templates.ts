import { z } from 'zod';

const STORAGE_KEY = 'peerlab.templates';
/** Maximum size of all templates in characters; browsers allow a site about 5 MB in all. */
const TEMPLATE_MAX = 500_000;

export const OwnTemplate = z.object({ name: z.string().min(1).max(80), yaml: z.string().max(TEMPLATE_MAX) });
export type OwnTemplate = z.infer<typeof OwnTemplate>;

/** Templates that the user stored in this browser. */
export interface OwnTemplates {
  list: () => readonly OwnTemplate[];
  subscribe: (listener: () => void) => () => void;
  /** Replaces a template of the same name. Returns an error message, or null when it was stored. */
  save: (name: string, yaml: string) => string | null;
  remove: (name: string) => void;
}

/** @param storage of the browser, or one for tests; unreadable content counts as empty */
export function createOwnTemplates(storage: Pick<Storage, 'getItem' | 'setItem'>): OwnTemplates {
  const listeners = new Set<() => void>();
  let all = read(storage);
  const put = (next: OwnTemplate[]): string | null => {
    try {
      storage.setItem(STORAGE_KEY, JSON.stringify(next));
    } catch {
      return 'the browser did not store it: its storage is full or forbidden';
    }
    all = next;
    for (const listener of listeners) listener();
    return null;
  };
  return {
    list: () => all,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    save(name, yaml) {
      const template = OwnTemplate.safeParse({ name: name.trim(), yaml });
      if (!template.success) {
        return yaml.length > TEMPLATE_MAX
          ? 'it is too long for the storage of the browser'
          : 'it needs a name of 1 to 80 letters';
      }
      const others = all.filter((each) => each.name !== template.data.name);
      return put([...others, template.data].toSorted((a, b) => a.name.localeCompare(b.name)));
    },
    remove(name) {
      put(all.filter((each) => each.name !== name));
    },
  };
}

function read(storage: Pick<Storage, 'getItem'>): OwnTemplate[] {
  try {
    return z
      .array(OwnTemplate)
      .catch([])
      .parse(JSON.parse(storage.getItem(STORAGE_KEY) ?? '[]'));
  } catch {
    return [];
  }
}
