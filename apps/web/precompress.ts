import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Plugin } from 'vite';

/** Smaller files gain nothing, in bytes. */
const LEAST_BYTES = 1024;
/** 7 % larger than at level 11, in a sixth of the time. */
const BROTLI_LEVEL = 9;
const GZIP_LEVEL = 9;

/**
 * Writes FILE.br and FILE.gz beside every script and style sheet of a build. The controller sends these to browsers that
 * accept them (`web-files.ts`), so that nothing is compressed again for each request.
 */
export function precompress(): Plugin {
  return {
    name: 'peerlab-precompress',
    apply: 'build',
    async writeBundle({ dir = '' }, bundle) {
      for (const output of Object.values(bundle)) {
        const content = Buffer.from(output.type === 'chunk' ? output.code : output.source);
        if (!/\.(?:js|css|svg)$/.test(output.fileName) || content.length < LEAST_BYTES) continue;
        const file = join(dir, output.fileName);
        const params = { [constants.BROTLI_PARAM_QUALITY]: BROTLI_LEVEL };
        await writeFile(`${file}.br`, await promisify(brotliCompress)(content, { params }));
        await writeFile(`${file}.gz`, await promisify(gzip)(content, { level: GZIP_LEVEL }));
      }
    },
  };
}
