/** Whether an endpoint serves what a request asks for; null is a request that names no model. */
export const servesModel = (
  { models }: { readonly models: readonly string[] | null },
  model: string | null,
): boolean => models === null || (model !== null && models.includes(model))
