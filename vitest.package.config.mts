import { defineConfig } from 'vitest/config'

// The packed tarball, as a user installs it. Apart from the rest because it packs, installs and
// starts other Nodes.
export default defineConfig({
  test: {
    include: ['test/package/**/*.test.ts'],
    globalSetup: 'test/package/global-setup.ts',
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 180_000,
    hookTimeout: 600_000
  }
})
