/**
 * Names of things, branded so that one cannot stand in for another. Each function only marks a
 * string as such a name; where a name must be checked, the place that reads it checks it.
 */
declare const brand: unique symbol
type Branded<Text extends string> = string & { readonly [brand]: Text }

/** The name of an endpoint, unique in a fleet: what the user called it, or its host and port. */
export type EndpointId = Branded<'EndpointId'>
export const endpointId = (text: string): EndpointId => text as EndpointId

/** What a client may name in `model`, after aliases are resolved. */
export type ModelName = Branded<'ModelName'>
export const modelName = (text: string): ModelName => text as ModelName

/** One client request, as it is told to the client in `x-request-id`. */
export type RequestId = Branded<'RequestId'>
export const requestId = (text: string): RequestId => text as RequestId

/** A machine that joined, for as long as it is not revoked. */
export type NodeId = Branded<'NodeId'>
export const nodeId = (text: string): NodeId => text as NodeId
/** One running engine that serves one model, unique in a fleet. */
export type ReplicaId = Branded<'ReplicaId'>
export const replicaId = (text: string): ReplicaId => text as ReplicaId
