/** The Markdown report, loaded when it is asked for. */
export { renderReport, reportOfRun } from '@peerlab/contracts';
