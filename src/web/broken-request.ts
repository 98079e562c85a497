import { maxHeaderSize, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { AppError, type ErrorCode } from '../model/app-error.js'
import { toProblem } from './problem.js'

/** What Node says of it; the packet is the part that it broke on. */
export interface BrokenRequest {
  readonly code?: string | undefined
  readonly rawPacket?: unknown
}

const LONGEST_LINE = 2048
const REQUEST_LINE = /^[A-Z]{1,20} (\/[!-"$->@-~]{0,1000})(?:\?[!-~]*)? HTTP\/1\.[01]\r?\n/

/** Answers what is not even an HTTP request, or does not come to an end, and closes the connection. */
export function refuseBrokenRequest(error: BrokenRequest, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { code, status, detail } = wordsFor(error.code)
  const problem = toProblem(new AppError(code, detail, { status }), pathIn(error.rawPacket))
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function wordsFor(code: string | undefined): { code: ErrorCode; status: number; detail: string } {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { code: 'invalid_request', status: 408, detail: 'The request did not come to its end in time' }
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    const detail = `The request line and the headers have at most ${maxHeaderSize} bytes in all`
    return { code: 'headers_too_large', status: 431, detail }
  }
  return { code: 'invalid_request', status: 400, detail: 'Not an HTTP request' }
}

/** The path, where the broken part of the request is the one that names it and it is there whole. */
function pathIn(packet: unknown): string | undefined {
  if (!Buffer.isBuffer(packet)) return undefined
  return REQUEST_LINE.exec(packet.subarray(0, LONGEST_LINE).toString('latin1'))?.[1]
}
