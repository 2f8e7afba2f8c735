/** What tells metrics of one suite apart for people: in a job with several roles each role's metrics are its own. */
export interface NamedMetric {
  name: string;
  /** Absent in a job with one role. */
  role?: string | undefined;
}

/** How a metric is called: `name`, and `name (client)` as one of several roles measured it. */
export const metricName = ({ name, role }: NamedMetric): string => (role === undefined ? name : `${name} (${role})`);

/** The same with its suite, as lists and filters have it: `suite/name`, `suite/name (client)`. */
export const metricPath = ({ suite, ...metric }: NamedMetric & { suite: string }): string =>
  `${suite}/${metricName(metric)}`;

/**
 * What a metric of a page is known by, for keys. Its path is for people only: a suite may call a metric `x (client)`, and
 * values of other units or directions are another metric.
 */
export const metricId = ({
  suite,
  name,
  role,
  unit,
  better,
}: NamedMetric & { suite: string; unit: string; better: string }): string =>
  JSON.stringify([suite, name, role ?? null, unit, better]);

/** The role of a metric as views have it: absent in a job with one. */
export const ofRole = ({ role }: { role?: string | null | undefined }): { role?: string } =>
  role == null ? {} : { role };
