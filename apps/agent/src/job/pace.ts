/** How long a test job waits for what. Tests give shorter ones. */
export interface Pace {
  /** One SSH handshake. */
  connectTimeoutMs: number;
  /** Between looks at something that is awaited. */
  pollMs: number;
  /** For a machine to answer at the start of a job; it may just be booting. */
  reachMs: number;
  /** For the console to be recorded at the start of a job. */
  consoleMs: number;
  /** From a reboot command to the boot loader, for machines that do not say and are not known yet. */
  firmwareMs: number;
  /** For the default kernel to come up after the firmware. */
  recoverMs: number;
  /** For a crash that was ordered to show: the kernel that answers later was told in vain. */
  orderMs: number;
  /** For crash text on the console after a connection was lost. */
  lateCrashMs: number;
  /** For the rest of a crash report after its first line. */
  crashTextMs: number;
  /** For kernel warnings to arrive after the result of the test that caused them. */
  settleMs: number;
  /** For the last devices to appear after the default kernel answers. */
  devicesMs: number;
  /** For a power driver to carry out one order; the machine boots afterwards. */
  powerMs: number;
  /** For the whole restore stage. */
  restoreMs: number;
}

export const PACE: Pace = {
  // Given up too early, the connections that a starved machine was about to greet are lost.
  connectTimeoutMs: 60_000,
  pollMs: 500,
  reachMs: 120_000,
  // A BMC gives up a session that was left open after 60 s (IPMI 2.0, 13.10), and the recorder asks again every 30 s at the latest.
  consoleMs: 100_000,
  // A server with much memory and many devices tests itself for up to fifteen minutes.
  firmwareMs: 900_000,
  // An emulated machine beside kernel builds has been seen to take four minutes.
  recoverMs: 420_000,
  orderMs: 30_000,
  lateCrashMs: 15_000,
  crashTextMs: 4_000,
  settleMs: 150,
  // Services that make virtual functions, and memory that is put online by rule, follow within seconds.
  devicesMs: 30_000,
  // Off and on again take two minutes each on the slowest BMCs, beside the pause.
  powerMs: 300_000,
  restoreMs: 1_200_000,
};
