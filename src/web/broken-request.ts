import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { AppError } from '../model/app-error.js'
import { toProblem } from './problem.js'

/** Answers what is not even an HTTP request, or does not come to an end, and closes the connection. */
export function refuseBrokenRequest(error: Pick<NodeJS.ErrnoException, 'code'>, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, detail } = wordsFor(error.code)
  const problem = { ...toProblem(new AppError('invalid_request', detail)), title: STATUS_CODES[status] ?? '', status }
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${status} ${problem.title}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function wordsFor(code: string | undefined): { status: number; detail: string } {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, detail: 'The request did not come to its end in time' }
  if (code === 'HPE_HEADER_OVERFLOW') return { status: 431, detail: 'The headers are too large' }
  return { status: 400, detail: 'Not an HTTP request' }
}
