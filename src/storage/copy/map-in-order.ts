/**
 * Acts on items, some at the same time, and gives the results in the items' order. After the first error nothing new is begun; it is
 * thrown when what is under way has ended.
 */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  atOnce: number,
  act: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = []
  try {
    for await (const item of items) {
      const acting = act(item)
      acting.catch(() => undefined) // it is awaited later, and others may fail before
      running.push(acting)
      if (running.length >= atOnce) yield await (running.shift() as Promise<R>)
    }
    while (running.length > 0) yield await (running.shift() as Promise<R>)
  } finally {
    await Promise.allSettled(running)
  }
}
