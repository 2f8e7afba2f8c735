/** The report of a run as a model and as Markdown, loaded on demand. */
export {
  attemptsOfMatrix,
  countsText,
  measuredHow,
  metricCells,
  noFinding,
  overviewCells,
  renderReport,
  renderTwoSided,
  reportOfRun,
  twoSidedMatrix,
  twoSidedSizes,
} from '@peerlab/contracts';
