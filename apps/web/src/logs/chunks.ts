/** Lines that are fetched and kept together. */
export const CHUNK_LINES = 1000;

/** First line of the chunk that contains a line, from 0. */
export const chunkStart = (seq: number): number => Math.floor(seq / CHUNK_LINES) * CHUNK_LINES;
