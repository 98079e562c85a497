import { readFileSync } from 'node:fs'

/** Looks at a process's resident memory until it is stopped. @returns by how many MiB it had grown at most */
export function watchMemory(pid: number): { readonly stop: () => number } {
  const now = () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  const before = now()
  let most = before
  const look = () => {
    most = Math.max(most, now())
  }
  const timer = setInterval(look, 20)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      return most - before
    },
  }
}
