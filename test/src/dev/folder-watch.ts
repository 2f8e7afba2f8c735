import { type FSWatcher, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';

/** Watches folders with all that is below them; what changes after the constructor has returned is not missed. */
export class FolderWatch {
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #onChange: () => void;

  /** @throws Error when a folder cannot be read, or when there are too many watches (fs.inotify.max_user_watches) */
  constructor(folders: string[], onChange: () => void) {
    this.#onChange = onChange;
    for (const folder of folders) this.#add(folder);
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #add(folder: string): void {
    if (!this.#watchers.has(folder)) this.#watchers.set(folder, this.#watch(folder));
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) this.#add(join(folder, entry.name));
  }

  #watch(folder: string): FSWatcher {
    const watcher = watch(folder, () => {
      this.#onChange();
      try {
        this.#add(folder);
      } catch {
        // The folder was removed; the watch of its parent says so too.
        watcher.close();
        this.#watchers.delete(folder);
      }
    });
    return watcher;
  }
}
