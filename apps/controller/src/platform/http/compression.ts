import { constants } from 'node:zlib';
import fastifyCompress from '@fastify/compress';
import { ROUTES } from '@peerlab/contracts';
import type { FastifyInstance } from 'fastify';

/** Answers below this go out as they are, in bytes: they fit into one or two packets anyhow. */
const THRESHOLD_BYTES = 2048;
/** JSON of a grid at this level: a seventh of its size, 400 MB/s. Level 4 takes four times as long and saves 6 % more. */
const BROTLI_LEVEL = 1;
const GZIP_LEVEL = 1;
/** What an answer of this controller is that becomes smaller: JSON, pages, scripts, logs, pictures of badges. */
const COMPRESSIBLE = /^(?:text\/|image\/svg\+xml|application\/(?:json|problem\+json|javascript))/;

/** Paths of the routes whose answers are sent as they are. */
const WITH_LENGTH: ReadonlySet<string> = new Set([ROUTES.getArtifact.path, ROUTES.getBuildFile.path]);

/**
 * Compresses the answers of GET requests for clients that accept it, except artifacts and files of kernels: most are
 * compressed as they are, and agents and browsers want their length. To be called before routes are registered.
 *
 * The length of a compressed answer tells what it repeats of a request (BREACH): whoever makes a browser send many
 * requests with chosen text could guess a secret that stands in the same answer. There is none to guess. Nothing that a
 * browser sends by itself identifies anybody: a token is in the header Authorization, which only our own pages set, and
 * there are no cookies. The one answer that has a token in it (`createToken`) answers a POST, and those are left
 * uncompressed. Keep it so: no secret in the answer of a GET.
 */
export async function compressAnswers(fastify: FastifyInstance): Promise<void> {
  fastify.addHook('onRoute', (route) => {
    const isRead = [route.method].flat().every((method) => method === 'GET' || method === 'HEAD');
    if (!isRead || WITH_LENGTH.has(route.url)) route.compress = false;
  });
  await fastify.register(fastifyCompress, {
    threshold: THRESHOLD_BYTES,
    encodings: ['br', 'gzip'],
    customTypes: COMPRESSIBLE,
    brotliOptions: { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_LEVEL } },
    zlibOptions: { level: GZIP_LEVEL },
    // A compressed body could unfold into more than its route takes.
    globalDecompression: false,
  });
}
