/** Lines held and fetched together while scrolling. */
export const CHUNK_LINES = 1000;

/** First line, from 0, of the chunk that a line is in. */
export const chunkStart = (seq: number): number => Math.floor(seq / CHUNK_LINES) * CHUNK_LINES;
