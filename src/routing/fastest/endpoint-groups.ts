/** The endpoints of each model and task, found again when the fleet changed. */
import { ByTaskAndModel } from '#core/by-task-and-model.ts'
import type { ModelName } from '#core/ids.ts'
import type { Task } from '#core/task.ts'
import { EndpointGroup } from '#routing/fastest/endpoint-group.ts'
import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'

export class EndpointGroups {
  readonly #groups = new ByTaskAndModel<EndpointGroup>()
  /** Those that are too large to be looked at whole. */
  readonly #large: EndpointGroup[] = []

  clear(): void {
    this.#groups.clear()
    this.#large.length = 0
  }

  of(
    asked: { readonly model: ModelName; readonly task: Task },
    all: Iterable<EndpointModel>,
    costMs: (model: EndpointModel) => number,
  ): EndpointGroup {
    const known = this.#groups.get(asked)
    if (known !== undefined) return known
    const serving = [...all].filter(({ told }) => told.serves(asked.model, asked.task))
    const group = new EndpointGroup(serving, costMs)
    if (!group.isSmall) this.#large.push(group)
    return this.#groups.set(asked, group)
  }

  /** What a usual request would take there has changed. */
  moved(model: EndpointModel, costMs: () => number): void {
    for (const group of this.#large) if (group.has(model)) group.move(model, costMs())
  }
}
