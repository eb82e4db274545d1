import { expect, test } from 'vitest'
import { deviceGroupIds } from '#hardware/machine/device-groups.ts'

function files(owners: Readonly<Record<string, number>>, groups: string | null = null) {
  return {
    list: async (folder: string) =>
      Object.keys(owners)
        .filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1)),
    groupOf: async (path: string) => owners[path] ?? null,
    groups: async () => groups,
  }
}

const names = 'root:x:0:\nvideo:x:44:\nrender:x:993:motley\nrenderers:x:7:\n'

test.each([
  {
    what: 'the owners of the device files, each once',
    host: files({
      '/dev/kfd': 993,
      '/dev/dri/card0': 44,
      '/dev/dri/card1': 44,
      '/dev/dri/renderD128': 993,
    }),
    ids: [44, 993],
  },
  {
    what: 'not the group of root, nor what else lies there',
    host: files({ '/dev/dri/card0': 0, '/dev/dri/by-path': 7, '/dev/dri/renderD128': 110 }, names),
    ids: [110],
  },
  {
    what: 'the groups of those names, before there is a device',
    host: files({}, names),
    ids: [44, 993],
  },
  { what: 'none on a machine that has no such groups', host: files({}), ids: [] },
])('the groups for a container are $what', async ({ host, ids }) => {
  expect(await deviceGroupIds(host)).toEqual(ids)
})

test('this machine is asked without a failure', async () => {
  expect(Array.isArray(await deviceGroupIds())).toBe(true)
})
