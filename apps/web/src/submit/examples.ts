/** Examples that need only the farm's own files. */
export const EXAMPLES: readonly { title: string; about: string; yaml: string }[] = [
  {
    title: 'Before and after',
    about: 'the unpatched base next to the bundled dma_alias series, on every machine',
    yaml: `name: dma_alias, before and after
builds:
  - name: base
    series: []
  - name: dma-alias
    series: [bundled]
suites: [p2p-functional, p2p-perf]
`,
  },
  {
    title: 'One path kind',
    about: 'functional tests only, where peer traffic stays below a switch',
    yaml: `name: functional below one switch
builds:
  - name: dma-alias
    series: [bundled]
suites: [p2p-functional]
machines:
  paths: [BUS_ADDR]
`,
  },
  {
    title: 'Your own series',
    about: 'drop an mbox file onto the editor to add it as a build',
    yaml: `# Drop an .mbox file here (git format-patch --stdout): it becomes a build of its own.
name: my series
builds:
  - name: base
    series: []
machines: {}
`,
  },
  {
    title: 'One machine, more time',
    about: 'named machine, longer limits, higher priority',
    yaml: `name: patient run on one machine
builds:
  - name: dma-alias
    series: [bundled]
machines:
  names: [v-switch]
priority: 80
timeouts:
  bootSeconds: 300
  attemptSeconds: 3600
`,
  },
];
