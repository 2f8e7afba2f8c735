import './schema/messages.js';
export * from './schema/access.js';
export * from './schema/attempts.js';
export * from './schema/verdict.js';
export * from './schema/boot-number.js';
export * from './schema/build-grid.js';
export * from './schema/builds.js';
export * from './schema/bundle.js';
export * from './schema/catalogue.js';
export * from './schema/combination.js';
export * from './schema/compare.js';
export * from './schema/crashes.js';
export * from './schema/expected-start.js';
export * from './schema/failure-memory.js';
export * from './schema/failure.js';
export * from './schema/found-ids.js';
export * from './schema/grid.js';
export * from './schema/hardware.js';
export * from './schema/twins.js';
export * from './schema/history.js';
export * from './schema/hooks.js';
export * from './schema/ids.js';
export * from './schema/inventory-history.js';
export * from './schema/inventory.js';
export * from './schema/kernel-metrics.js';
export * from './schema/kernel-source.js';
export * from './rules/series-mails.js';
export * from './schema/kernel-pages.js';
export * from './schema/kernel-sighting.js';
export * from './schema/logs.js';
export * from './schema/machine-attempts.js';
export * from './schema/machine-use.js';
export * from './schema/machine-check.js';
export * from './schema/machines.js';
export * from './schema/meeting.js';
export * from './schema/metric.js';
export * from './schema/participants.js';
export * from './schema/paths.js';
export * from './schema/problem.js';
export * from './schema/results.js';
export * from './schema/proof.js';
export * from './schema/retention.js';
export * from './schema/run-spec.js';
export * from './schema/runs.js';
export * from './schema/states.js';
export * from './schema/suite.js';
export * from './schema/submissions.js';
export * from './schema/text.js';
export * from './schema/time-cursor.js';
export * from './schema/tickets.js';
export * from './schema/tokens.js';
export * from './schema/trend.js';
export * from './rules/attest.js';
export * from './rules/run-file.js';
export * from './rules/dialects/dialect.js';
export * from './rules/dialects/index.js';
export { JUNIT_MAX } from './rules/dialects/junit.js';
export * from './rules/canonical-json.js';
export * from './rules/change.js';
export * from './rules/combination.js';
export * from './rules/compared-builds.js';
export * from './rules/control-sequences.js';
export * from './rules/cpu-family.js';
export * from './rules/crash.js';
export * from './rules/devices.js';
export * from './rules/fit.js';
export * from './rules/claims.js';
export * from './rules/flips.js';
export * from './rules/fold-boots.js';
export * from './rules/history.js';
export * from './rules/inventory-drift.js';
export * from './rules/known-failure.js';
export * from './rules/ktap/lines.js';
export * from './rules/ktap/read.js';
export * from './rules/ktap/reader.js';
export * from './rules/ktap/tree.js';
export * from './rules/machine-use.js';
export * from './rules/meeting.js';
export * from './rules/message-size.js';
export * from './rules/participants.js';
export * from './rules/seats.js';
export * from './rules/size-series.js';
export * from './rules/patch.js';
export * from './rules/pci-names.js';
export * from './rules/peer-paths.js';
export { type PerftestProblem } from './rules/perftest/messages.js';
export * from './rules/perftest/model.js';
export * from './rules/perftest/read.js';
export * from './rules/perftest/reader.js';
export * from './rules/place.js';
export * from './rules/queue-order.js';
export * from './rules/repeats.js';
export * from './rules/run-standing.js';
export { BOOTS_MIN, LEVEL, medianOf, moreBootsNeeded, RELEVANCE, type Boot } from './rules/significance/boots.js';
export { changesOfLines, type ChangePoint, type LinePoint } from './rules/significance/change-points.js';
export { judgeMetrics, type Judgement, type MetricSides } from './rules/significance/judge.js';
export { learnNoise, NO_NOISE, noisier, type StoredBoot } from './rules/significance/noise.js';
export * from './rules/significance/words.js';
export { judgeTwins, type TwinJudgement, type TwinMetric } from './rules/outliers.js';
export * from './rules/twins.js';
export * from './rules/two-sided.js';
export * from './rules/unit.js';
export * from './rules/verdict.js';
export * from './routes/api.js';
export { GridQuery } from './routes/evidence-routes.js';
export { REPORTS_SHOWN } from './routes/hook-routes.js';
export * from './wire/agent-channel.js';
export * from './wire/live-channel.js';
export { figureText } from './rules/report/figure.js';
export {
  countsText,
  measuredHow,
  metricCells,
  NO_FINDING,
  overviewCells,
  renderReport,
} from './rules/report/markdown.js';
export { placeLabel } from './rules/report/compared.js';
export { renderComparison } from './rules/report/comparison.js';
export { renderSizes, sizesCsv } from './rules/report/sizes.js';
export { reportOfRun, type RunReport } from './rules/report/model.js';
export {
  BOOTED_ONCE,
  renderTwoSided,
  renderTwoSidedSizes,
  TWO_SIDED_HOW,
  twoSidedCsv,
} from './rules/report/two-sided.js';
