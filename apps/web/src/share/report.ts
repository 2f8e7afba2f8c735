/** The report of a run as a model and as Markdown, loaded on demand. */
export { countsText, MEASURED_HOW, metricCells, NO_FINDING, renderReport, reportOfRun } from '@peerlab/contracts';
