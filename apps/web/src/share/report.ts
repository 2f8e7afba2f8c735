/** The Markdown report, loaded on demand. */
export { renderReport, reportOfRun } from '@peerlab/contracts';
