/** What no setting alone shows to be wrong, as a whole sentence at the place to change. */
export interface Contradiction {
  readonly path: readonly (string | number)[]
  readonly message: string
}
