/**
 * Puts a finished build where the server serves it from, so that nobody ever gets half of one: files whose names
 * change with their content come first, the page that names them last and in one step. The parts of the build before
 * stay for a day, for pages that are open and have not asked for them yet.
 */
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const BUILT = join(import.meta.dirname, 'node_modules/.diemcau-client')
const SERVED = join(import.meta.dirname, '../server/static')
const PAGE = 'index.html'
const KEPT_MS = 24 * 3600 * 1000

async function filesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

async function put(file) {
  const target = join(SERVED, file)
  await mkdir(dirname(target), { recursive: true })
  await copyFile(join(BUILT, file), `${target}.new`)
  await rename(`${target}.new`, target)
}

const built = await filesIn(BUILT)
for (const file of built.filter((it) => it !== PAGE)) await put(file)
await put(PAGE)

for (const file of await filesIn(SERVED)) {
  const path = join(SERVED, file)
  const isOld = Date.now() - (await stat(path)).mtimeMs > KEPT_MS
  if (isOld && !built.includes(file)) await rm(path)
}
