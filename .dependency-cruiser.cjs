// Turns each row of rooms.cjs into a rule whose name is a sentence, and adds the rules a table cannot say.
const rooms = require('./rooms.cjs')

const within = (names) => names.map((name) => `^src/${name}/`)
const aTest = '([.]test|/test-[^/]+)[.]ts$'

const doors = Object.entries(rooms).flatMap(([room, knows]) => [
  {
    name: `${room} knows only ${knows.join(', ') || 'itself'}`,
    severity: 'error',
    from: { path: `^src/${room}/`, pathNot: aTest },
    to: { path: '^src/', pathNot: within([room, ...knows]) },
  },
  {
    name: `tests of ${room} know only what ${room} knows, and testing`,
    severity: 'error',
    from: { path: `^src/${room}/.*${aTest}` },
    to: { path: '^src/', pathNot: within([room, ...knows, 'testing']) },
  },
])

module.exports = {
  forbidden: [
    ...doors,
    {
      name: 'every file under src stands in a room of rooms.cjs',
      severity: 'error',
      from: { path: '^src/', pathNot: within(Object.keys(rooms)) },
      to: {},
    },
    { name: 'no cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'pure rooms touch no machine',
      comment: 'Time, chance, files and sockets reach these rooms as arguments.',
      severity: 'error',
      from: {
        path: '^src/(core|openai|protocol|batching|routing|placement|engines)/',
        pathNot: aTest,
      },
      to: { dependencyTypes: ['core'] }, // dependency-cruiser's word for Node's own modules
    },
    {
      name: 'one adapter does not know another',
      severity: 'error',
      from: { path: '^src/(engines|hardware)/(?!index)[^/]+$', pathNot: aTest },
      to: { path: '^src/(engines|hardware)/(?!engine|probe)[^/]+$' },
    },
    {
      name: 'every import resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true, // sees type-only imports
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { conditionNames: ['motley-source', 'import', 'node', 'default'] },
  },
}
