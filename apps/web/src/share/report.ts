/** The report of a run as a model and as Markdown, loaded on demand. */
export {
  countsText,
  measuredHow,
  metricCells,
  noFinding,
  overviewCells,
  renderReport,
  reportOfRun,
} from '@peerlab/contracts';
