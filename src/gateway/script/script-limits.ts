/** What a routing script may take, and what it is told to be: the reference page says these too. */
export const scriptLimits = {
  /** A client waits while it runs; a rule that needs longer belongs somewhere else. */
  computingMsMax: 5,
  /** Tables may be built once, when it is loaded; a script that computes for longer is one that hangs. */
  loadingMsMax: 1_000,
  /** Room for a thousand endpoints with their labels; the engine itself takes a tenth of it. */
  memoryBytesMax: 8 * 1024 * 1024,
  /** Some hundred calls deep. */
  stackBytesMax: 256 * 1024,
  /**
   * The sandbox cuts a run off by what it computed. What is silent for much longer sits in one long
   * step of it, which nothing else ends; or the machine is busy, and then a script is not to blame for
   * some tenths of a second. So this is the last resort, and what a client can lose to a script at most.
   */
  silentMsMax: 1_000,
  /** Who waits longer than so many others gets no answer in time: rules alone decide then. */
  waitingMax: 200,
  /** A script that costs so many threads in a row costs every one: nobody waits for it any more. */
  lostThreadsMax: 3,
} as const
