// Which room may import which. A room may always import itself, and tests may import testing.
// This table is the architecture; `npm run rooms` holds it.
module.exports = {
  std: [],
  core: ['std'],
  openai: ['std'],
  protocol: ['core', 'std'],
  routing: ['core', 'std'],
  placement: ['core', 'std'],
  engines: ['core', 'std'],
  hardware: ['core', 'std'],
  weights: ['core', 'std'],
  gateway: ['openai', 'routing', 'protocol', 'core', 'std'],
  controller: ['placement', 'protocol', 'core', 'std'],
  agent: ['engines', 'hardware', 'weights', 'protocol', 'core', 'std'],
  embedded: ['openai', 'core', 'std'],
  emulator: ['openai', 'core', 'std'],
  cli: ['gateway', 'controller', 'agent', 'hardware', 'weights', 'embedded', 'emulator', 'protocol', 'core', 'std'],
  testing: ['openai', 'protocol', 'core', 'std'],
}
