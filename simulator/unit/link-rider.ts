import type { UnitLink } from './unit-transport.js'

/** What whoever uses a link finds out about its health. */
export interface LinkHealth {
  noteAnswer(): void
  /** The server took something: the next setback is a first one. */
  noteSuccess(): void
  /** Too many in a row and the link is cut. */
  noteSilence(): void
}

/** Whoever else uses a unit's links, beside its records. */
export interface LinkRider {
  /** Things not done or not answered for; with any, the unit's work is not over. */
  readonly pending: number

  /** A link is open. */
  handleLink(link: UnitLink, health: LinkHealth): void

  /** The link is gone. Resolves when nothing sent over it is waited for. */
  handleLinkEnd(): Promise<void>

  /** Nothing more is to be done. */
  stop(): void
}
