import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Name, type TemplateView } from '@peerlab/contracts';

const EXTENSION = '.yaml';

/** Run templates are files: NAME.yaml, whose first comment lines describe it. */
export class TemplateFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** All templates by name; empty when the folder does not exist. Throws when folder or file cannot be read. */
  async list(): Promise<TemplateView[]> {
    const files = await readdir(this.#folder).catch((error: unknown) => {
      if (isAbsent(error)) return [];
      throw error;
    });
    const names = files
      .filter((file) => file.endsWith(EXTENSION))
      .map((file) => file.slice(0, -EXTENSION.length))
      .filter((name) => Name.safeParse(name).success)
      .toSorted();
    return Promise.all(
      names.map(async (name) => {
        const yaml = await readFile(join(this.#folder, name + EXTENSION), 'utf8');
        return { name, description: leadingComment(yaml), yaml };
      }),
    );
  }
}

const isAbsent = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** Text of the comment lines at the start, as one paragraph. */
export function leadingComment(yaml: string): string {
  const words: string[] = [];
  for (const line of yaml.split('\n')) {
    if (!line.startsWith('#')) break;
    const text = line.replace(/^#+\s?/, '').trim();
    if (!text.startsWith('SPDX-') && text !== '') words.push(text);
  }
  return words.join(' ');
}
