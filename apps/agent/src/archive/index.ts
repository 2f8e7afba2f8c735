export { ArchiveError, showName } from './archive-error.js';
export { type ExpectedFile, extractPlain } from './extract-plain.js';
export { openPlainFile } from './open-plain.js';
export { type FolderLimits, type PlainFile, type PlainFolderOptions, readPlainFolder } from './plain-folder.js';
export { type ArchiveEntry, type ArchiveLimits, readArchive } from './read-archive.js';
