import { expect, test } from 'vitest'
import { shippingCampaign } from '../../crash-test/shipping'

// `node crash-test/shipping.js` does the same as often as one likes.
const ROUNDS = 10
const MOST_MS = 240_000

test.each(['worker', 'process'] as const)(
  'applications that are killed, and their shippers in a %s, lose no record and repeat none by its id',
  async mode => {
    const result = await shippingCampaign({ rounds: ROUNDS, mode, disturbEvery: 4 })
    expect(result).toMatchObject({ application: ROUNDS, missing: 0, repeatedAfterDedupe: 0, conflicts: 0 })
    expect(result.accepted).toBeGreaterThan(0)
  },
  MOST_MS
)
