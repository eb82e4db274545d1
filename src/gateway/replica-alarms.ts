/** A replica of the fleet with what is wrong with it although it answers, as operators are told. */
export interface ReplicaAlarms {
  readonly node: string
  /** Also the name of its endpoint. */
  readonly replica: string
  /** One sentence each; empty when all is well. */
  readonly alarms: readonly string[]
}
