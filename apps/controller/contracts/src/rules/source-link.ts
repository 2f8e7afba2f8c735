import { isCommit, type BuiltGit } from '../schema/kernel-source.js';
import type { Forge, SourceHosts, SourceLinks } from '../schema/source-links.js';

/** The address of a line on each forge, of a repository's page, a commit, a path with its parts encoded, and a line. */
const LINE_OF: Readonly<Record<Forge, (repository: string, commit: string, path: string, line: number) => string>> = {
  github: (repository, commit, path, line) => `${repository}/blob/${commit}/${path}#L${line}`,
  gitlab: (repository, commit, path, line) => `${repository}/-/blob/${commit}/${path}#L${line}`,
  gitea: (repository, commit, path, line) => `${repository}/src/commit/${commit}/${path}#L${line}`,
  cgit: (repository, commit, path, line) => `${repository}/tree/${path}?id=${commit}#n${line}`,
};

/**
 * Where a repository is shown, by the address that it is fetched from; null where its host is not among `hosts`, or where
 * its commit is not known.
 */
export function sourcePage({ url, ref, commit }: BuiltGit, hosts: SourceHosts): SourceLinks['page'] {
  const built = commit ?? (isCommit(ref) ? ref : null);
  const [, protocol = '', host = '', path = ''] = /^(https?|git):\/\/([^/@]{1,260})(\/.{1,500})$/.exec(url) ?? [];
  const name = host.toLowerCase();
  const forge = Object.hasOwn(hosts, name) ? hosts[name] : undefined;
  if (built === null || forge === undefined) return null;
  const bare = path.replace(/\/$/, '');
  // cgit shows a repository under the name that it is fetched by, the others without the ending.
  const shown = forge === 'cgit' ? bare : bare.replace(/\.git$/, '');
  return { forge, repository: `${protocol === 'http' ? 'http' : 'https'}://${name}${shown}`, commit: built };
}

/** A file of the tree; names of other places, such as headers of the builder or files that the build made, are none. */
const IN_TREE = /^(?:[a-zA-Z0-9_][a-zA-Z0-9_.+@,-]{0,99}\/){0,15}[a-zA-Z0-9_][a-zA-Z0-9_.+@,-]{0,99}$/;
/** What only a build has: files that it made, and the farm's own modules, which are built inside of the tree. */
const MADE = /(?:^|\/)generated\/|^peerlab\//;

/**
 * The address of a line of the tree that was built; null where there is no page of exactly this line.
 * @param file as the compiler names it, with or without `./`
 */
export function lineUrl({ page, changed }: SourceLinks, file: string, line: number): string | null {
  const path = file.replace(/^\.\//, '');
  if (page === null || !IN_TREE.test(path) || MADE.test(path) || changed.includes(path)) return null;
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return LINE_OF[page.forge](page.repository, page.commit, encoded, line);
}

/** Folders at the top of the kernel's tree that have sources: other paths in a message are those of somebody's program. */
const TOP = new Set(
  (
    'arch block certs crypto drivers fs include init io_uring ipc kernel lib mm net rust samples scripts security ' +
    'sound tools usr virt'
  ).split(' '),
);
const PLACE = /(?<![\w./+-])([a-zA-Z0-9_][\w./+-]{0,200}\.(?:c|h|S|rs|sh|py)):(\d{1,6})(?![\w.])/g;
/** Characters of a message that are looked at. */
const TEXT_MAX = 4000;

/** A part of a message; with `url`, it names a line of the tree. */
export interface LinkedPart {
  text: string;
  url: string | null;
}

/** Parts a message at the places in the source that it names. @param folder of the suite whose message it is, if it has one */
export function linkPlaces(text: string, links: SourceLinks, folder: string | null): LinkedPart[] {
  const parts: LinkedPart[] = [];
  let from = 0;
  for (const match of text.slice(0, TEXT_MAX).matchAll(PLACE)) {
    const [whole, file = '', line] = match;
    const path =
      TOP.has(file.split('/', 1)[0] ?? '') && file.includes('/') ? file : folder === null ? null : `${folder}/${file}`;
    const url = path === null || path.split('/').includes('..') ? null : lineUrl(links, path, Number(line));
    if (url === null) continue;
    parts.push({ text: text.slice(from, match.index), url: null }, { text: whole, url });
    from = match.index + whole.length;
  }
  parts.push({ text: text.slice(from), url: null });
  return parts.filter((part) => part.text !== '');
}
