import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A fenced block of a guide. */
interface Block {
  readonly language: string
  readonly text: string
  /** Of its first line in the file. */
  readonly line: number
}

/** What a step of a guide is followed by: what it must have printed. */
type Expectation = Pick<Block, 'language' | 'text' | 'line'> | undefined

/** One thing that a reader does, and what they are told they will see. */
export interface GuideStep {
  readonly language: 'sh' | 'js'
  readonly text: string
  readonly line: number
  readonly expected: Expectation
}

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm
/** Stands for anything in an expected answer. */
const ANYTHING = '…'
const OUTPUT_WITHIN_MS = 15_000

/** The steps of a guide in order: every `sh` and `js` block, each with the `json` or `text` block that follows it, if one does. */
export function readGuide(file: string): GuideStep[] {
  const source = readFileSync(file, 'utf8')
  const blocks: Block[] = [...source.matchAll(FENCE)].map((match) => ({
    language: match[1] ?? '',
    text: match[2] ?? '',
    line: source.slice(0, match.index).split('\n').length + 1,
  }))
  return blocks.flatMap((block, index) => {
    const { language, text, line } = block
    if (language !== 'sh' && language !== 'js') return []
    const next = blocks[index + 1]
    const expected = next !== undefined && ['json', 'text'].includes(next.language) ? next : undefined
    return [{ language, text, line, expected }]
  })
}

/** @throws Error naming the line of the guide, what it promises and what came */
export function compareWithGuide({ expected, line }: GuideStep, output: string): void {
  if (expected === undefined) return
  const isSame =
    expected.language === 'json'
      ? isLike(JSON.parse(expected.text), parsed(output))
      : hasLines(expected.text, output.replaceAll('\r', ''))
  if (!isSame) throw new Error(`step at line ${line}: the guide says\n${expected.text}\nbut what came is\n${output}`)
}

/** Every line of the expectation, in order; others may be between them. */
function hasLines(expected: string, output: string): boolean {
  const lines = output.split('\n')
  return expected
    .trim()
    .split('\n')
    .every((wanted) => {
      const at = lines.findIndex((line) => isLikeText(wanted.trim(), line.trim()))
      if (at === -1) return false
      lines.splice(0, at + 1)
      return true
    })
}

function isLike(expected: unknown, actual: unknown): boolean {
  if (expected === ANYTHING) return actual !== undefined
  if (typeof expected === 'string') return typeof actual === 'string' && isLikeText(expected, actual)
  if (Array.isArray(expected)) {
    const isOpen = expected.at(-1) === ANYTHING && expected.length > 1
    const wanted = isOpen ? expected.slice(0, -1) : expected
    return (
      Array.isArray(actual) &&
      (isOpen ? actual.length >= wanted.length : actual.length === wanted.length) &&
      wanted.every((one, index) => isLike(one, actual[index]))
    )
  }
  if (typeof expected !== 'object' || expected === null) return Object.is(expected, actual)
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return false
  const keys = Object.keys(expected)
  // `"…": "…"` as the last member: and others, which the guide leaves out.
  const wanted = keys.filter((key) => key !== ANYTHING)
  const isOpen = wanted.length < keys.length
  return (
    (isOpen || Object.keys(actual).length === wanted.length) &&
    wanted.every((key) => isLike(Reflect.get(expected, key), Reflect.get(actual, key)))
  )
}

function isLikeText(expected: string, actual: string): boolean {
  const pattern = expected.split(ANYTHING).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${pattern.join('[\\s\\S]*')}$`).test(actual)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** One shell for all the steps of a guide, so that a variable of one is there in the next. */
export class GuideShell {
  private readonly child: ChildProcess
  private output = ''
  private wake: () => void = () => undefined

  /** @param directory where the steps find their files */
  constructor(directory: string) {
    // Every variable that a step sets is exported, for the steps in JavaScript.
    this.child = spawn('bash', ['-a'], {
      cwd: directory,
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8')
      stream?.on('data', (chunk: string) => {
        this.output += chunk
        this.wake()
      })
    }
    this.child.once('exit', () => this.wake())
  }

  /** @returns what it wrote, and the shell's variables after it */
  async run(script: string): Promise<{ readonly output: string; readonly variables: Record<string, string> }> {
    this.output = ''
    const end = `end-of-step-${Math.random().toString(36).slice(2)}`
    this.child.stdin?.write(`${script}\nprintf '%s\\0' ${end}; env -0; printf '%s\\0' ${end}\n`)
    const deadlineMs = Date.now() + OUTPUT_WITHIN_MS
    while (this.output.split(end).length < 3) {
      if (this.child.exitCode !== null || Date.now() > deadlineMs)
        throw new Error(`the shell did not come back: ${this.output}`)
      await this.news(deadlineMs - Date.now())
    }
    const [output = '', environment = ''] = this.output.split(`${end}\0`)
    const variables = Object.fromEntries(
      environment
        .split('\0')
        .filter((entry) => entry.includes('='))
        .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    )
    return { output, variables }
  }

  close(): void {
    this.child.stdin?.end()
    this.child.kill('SIGKILL')
  }

  private news(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
