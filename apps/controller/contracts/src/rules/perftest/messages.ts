/** What perftest says beside its figures, by kind. An error means that figures are missing; a warning, that they may be off. */
interface MessageKind {
  id: string;
  severity: 'error' | 'warning';
  /** Each as perftest, the verbs library or the kernel prints it, somewhere in a line. */
  texts: readonly string[];
  remedy: string;
}

/** The first kind that fits a line counts: particular texts stand before general ones. */
const KINDS: readonly MessageKind[] = [
  {
    id: 'no-peer',
    severity: 'error',
    texts: [
      "Couldn't connect to ",
      'Unable to open file descriptor for socket connection',
      'Unable to init the socket connection',
      'Unable to Connect the HCA',
      'Failed to connect through RDMA CM',
      'Failed to connect RDMA CM client',
      'rdma_resolve_addr failed',
    ],
    remedy: 'start the server first, and name its address on the network of the RDMA link',
  },
  {
    id: 'port-in-use',
    severity: 'error',
    texts: ["Couldn't listen to port", 'Failed to bind socket', 'rdma_bind_addr failed'],
    remedy: 'another server holds the port: end it, or choose one with -p',
  },
  {
    id: 'versions',
    severity: 'error',
    texts: [
      'is not compatible with versions older than',
      'versions do not match',
      'version mismatch',
      'different versions of perftest',
    ],
    remedy: 'install the same version of perftest on both machines',
  },
  {
    id: 'peer-lost',
    severity: 'error',
    texts: [
      'Unable to read from socket/rdma_cm',
      'Unable to write to socket/rdma_cm',
      'Unable to read to socket/rdma_cm',
      'Unable to write from socket/rdma_cm',
      "ethernet_read_keys: Couldn't read remote address",
      "ethernet_read_data: Couldn't read reports",
      "Couldn't read remote address",
      'Failed to exchange data between server and clients',
      'Failed to exchange Page Size data',
      'Failed to exchange Cache Line Size data',
      'Failed to sync between server and client',
      'Failed to close connection between server and client',
      'Did not get Message for 120 Seconds',
    ],
    remedy: 'the other side ended first: its output says why; both sides must have the same options',
  },
  {
    id: 'odp',
    severity: 'error',
    texts: [
      'ODP does not support ',
      "Couldn't query device for on-demand paging capabilities",
      'The device does not support ODP',
      'ODP is not supported',
      'does not support on demand paging',
    ],
    remedy: 'this device or transport has no on-demand paging: see `ibv_devinfo -v`, general_odp_caps',
  },
  {
    id: 'qp',
    severity: 'error',
    texts: ['Failed to modify QP', 'Failed to create QP', "Couldn't create rdma new QP", "Couldn't create rdma old QP"],
    remedy: 'the queue pair cannot reach its peer: check the GID index (-x), the MTU (-m) and that the link is up',
  },
  {
    id: 'memory',
    severity: 'error',
    texts: ["Couldn't allocate MR", 'Failed to create MR', 'Failed to allocate hugepage', 'Cannot Allocate'],
    remedy: 'raise the limit of locked memory (ulimit -l), or use a smaller size (-s)',
  },
  {
    id: 'completion',
    severity: 'error',
    texts: [
      'Completion with error',
      'completion with Error',
      'Failed status ',
      'Poll send CQ error status',
      'Poll Recieve CQ',
      'Bad wc status',
      'Failed to complete run_iter_bw function successfully',
      'Error occurred while running infinitely',
    ],
    remedy: 'a transfer failed: the status is one of ibv_wc_status; look at the kernel log of both machines',
  },
  {
    id: 'device',
    severity: 'error',
    texts: [
      'Unable to find the Infiniband/RoCE device',
      'IB device ',
      'Did not detect devices',
      "Couldn't get context for the device",
      "Couldn't allocate context",
      'Unable to query port',
      "Couldn't set the link layer",
    ],
    remedy: 'name a device that `ibv_devices` lists (-d), and load its driver',
  },
  {
    id: 'limit',
    severity: 'error',
    texts: ['BW result is below bw limit', 'Msg rate  is below msg_rate limit'],
    remedy: 'the figure is below the limit that was asked for',
  },
  {
    id: 'options',
    severity: 'error',
    texts: ['Parser function exited with Error', 'unrecognized option', 'invalid option', 'Conflicting options'],
    remedy: 'this version of perftest does not know an option: see --help',
  },
  {
    id: 'setup',
    severity: 'error',
    texts: [
      "Couldn't create IB resources",
      'Unable to create RDMA_CM resources',
      'Failed to create RDMA CM connection',
      "Couldn't post send",
      "Couldn't post recv",
      'Unable to set up socket connection',
    ],
    remedy: 'look at the line before it and at the kernel log',
  },
  {
    id: 'cpu-frequency',
    severity: 'warning',
    texts: [
      'Conflicting CPU frequency values detected',
      'Unexpected CPU frequency',
      'measured timestamp frequency',
      'Using sampled CPU speed',
    ],
    remedy: 'set the frequency governor to performance: the clock of the figures is a guess',
  },
  {
    id: 'relaxed-ordering',
    severity: 'warning',
    texts: ['CPU is not PCIe relaxed ordering compliant'],
    remedy: 'give both sides --disable_pcie_relaxed',
  },
  {
    id: 'inaccurate',
    severity: 'warning',
    texts: ['Large message requested and CQ moderation enabled', 'It can lead to inaccurate results'],
    remedy: 'use -Q 1 with large messages',
  },
  {
    id: 'changed-setting',
    severity: 'warning',
    texts: [
      'Requested mtu is higher than active mtu',
      'Changing to',
      'Disabling it',
      'Disabling dynamic polling',
      'changing to 0',
    ],
    remedy: 'perftest runs with another setting than asked for',
  },
];

/** Ids of problems that are not messages of perftest. */
const OF_READER = {
  value: ['error', 'a value is no finite number: too few iterations, or a broken clock'],
  row: ['error', 'lines of the output are mixed up: keep standard output and standard error apart'],
  header: ['error', 'this table has a column that is not known here'],
  unit: ['error', 'the JSON does not say whether BW is in MiB/s or Gb/s, and its message rate fits neither'],
  incomplete: ['error', 'the output ends in the middle'],
  'left-out': ['error', 'the output is larger than what is read of it'],
} as const;
type OfReader = keyof typeof OF_READER;

export interface PerftestProblem {
  id: string;
  severity: 'error' | 'warning';
  /** The first line that says it. */
  text: string;
  /** How many lines say it. */
  count: number;
  remedy: string;
}

/** An option in the help, which perftest prints behind a wrong one: `  -d, --ib-dev=<dev>  Use IB device <dev>`. */
const HELP_LINE = /^\s+--?[a-z]/i;

/** What a line of output complains of; null when it complains of nothing. */
export function parseMessage(line: string): Pick<PerftestProblem, 'id' | 'severity' | 'remedy'> | null {
  if (HELP_LINE.test(line)) return null;
  const kind = KINDS.find(({ texts }) => texts.some((text) => line.includes(text)));
  return kind === undefined ? null : { id: kind.id, severity: kind.severity, remedy: kind.remedy };
}

export function problemOfReader(id: OfReader): Pick<PerftestProblem, 'id' | 'severity' | 'remedy'> {
  const [severity, remedy] = OF_READER[id];
  return { id, severity, remedy };
}
