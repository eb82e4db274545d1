/** A wish that cannot be granted, for people. */
export class ControllerRefusal extends Error {}
