/** The endpoints of each model and task, found again when the fleet changed. */
import type { ModelName } from '#core/ids.ts'
import type { Task } from '#core/task.ts'
import { EndpointGroup } from '#routing/fastest/endpoint-group.ts'
import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'

export class EndpointGroups {
  readonly #groups = new Map<Task, Map<ModelName, EndpointGroup>>()
  /** Those that are too large to be looked at whole. */
  readonly #large: EndpointGroup[] = []

  clear(): void {
    this.#groups.clear()
    this.#large.length = 0
  }

  of(
    { model: name, task }: { readonly model: ModelName; readonly task: Task },
    all: Iterable<EndpointModel>,
    costMs: (model: EndpointModel) => number,
  ): EndpointGroup {
    let ofTask = this.#groups.get(task)
    if (ofTask === undefined) {
      ofTask = new Map()
      this.#groups.set(task, ofTask)
    }
    let group = ofTask.get(name)
    if (group === undefined) {
      const serving = [...all].filter(({ told }) => told.serves(name, task))
      group = new EndpointGroup(serving, costMs)
      ofTask.set(name, group)
      if (!group.isSmall) this.#large.push(group)
    }
    return group
  }

  /** What a usual request would take there has changed. */
  moved(model: EndpointModel, costMs: () => number): void {
    for (const group of this.#large) if (group.has(model)) group.move(model, costMs())
  }
}
