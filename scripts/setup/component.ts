/** Something that a task needs on the machine, and how to get it. */
export interface Component {
  /** As users know it. */
  readonly title: string
  /** The command to run by hand where installing failed. */
  readonly remedy: string
  /** Cheap: asked on every start. */
  isPresent(): boolean
  /** Leaves the component complete and working, or throws an error that says why not. Several may run at once on one machine. */
  install(): Promise<void>
}
