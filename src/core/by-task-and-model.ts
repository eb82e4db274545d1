import type { ModelName } from '#core/ids.ts'
import type { Task } from '#core/task.ts'

interface Asked {
  readonly task: Task
  readonly model: ModelName
}

/** One thing for each pair of them. Two maps: a key of both would be a new text at each look. */
export class ByTaskAndModel<Value> {
  readonly #ofTask = new Map<Task, Map<ModelName, Value>>()

  get({ task, model }: Asked): Value | undefined {
    return this.#ofTask.get(task)?.get(model)
  }

  /** Returns the value. */
  set({ task, model }: Asked, value: Value): Value {
    let ofModel = this.#ofTask.get(task)
    if (ofModel === undefined) {
      ofModel = new Map()
      this.#ofTask.set(task, ofModel)
    }
    ofModel.set(model, value)
    return value
  }

  clear(): void {
    this.#ofTask.clear()
  }
}
