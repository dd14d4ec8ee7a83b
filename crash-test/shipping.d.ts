/** What a campaign of kills has counted. */
export interface ShippingResult {
  application: number
  shipper: number
  target: number
  /** How often the other side was killed, frozen, told to end, or away. */
  disturbed: Record<string, number>
  accepted: number
  arrived: number
  repeats: number
  missing: number
  repeatedAfterDedupe: number
  conflicts: number
  /** What was left, if something was wrong. */
  folder?: string
}

export function shippingCampaign(options: {
  rounds: number
  mode: 'worker' | 'process'
  kafka?: boolean
  disturbEvery?: number
  onRound?: (run: number) => void
  signal?: AbortSignal
}): Promise<ShippingResult>
